"""Families of user agents: what remains the same when a program is updated or runs on another machine.

A user agent is chosen by whoever calls, so a known family proves nothing; a new one is worth a look.
"""

from __future__ import annotations

import re

LONGEST_READ = 512

_BY_PART: tuple[tuple[str, str], ...] = (
    ("exec-env/cloudshell", "cloudshell"),
    ("hashicorp/terraform", "terraform"),
    ("terraform/", "terraform"),
    ("opentofu/", "opentofu"),
    ("pulumi", "pulumi"),
    ("aws-cdk", "aws-cdk"),
    ("ansible", "ansible"),
    ("aws-sam-cli", "aws-sam-cli"),
    ("s3 browser", "s3 browser"),
    ("cyberduck", "cyberduck"),
    ("winscp", "winscp"),
    ("rclone", "rclone"),
    ("kali", "kali"),
    ("parrot", "parrot"),
    ("pentoo", "pentoo"),
    ("aws-cli", "aws-cli"),
    ("boto3", "boto3"),
    ("botocore", "botocore"),
    ("awspowershell", "powershell"),
    ("signin.amazonaws.com", "console"),
    ("console.amazonaws.com", "console"),
    ("console.aws.amazon.com", "console"),
    ("aws-internal", "aws"),
    ("aws internal", "aws"),
    (".amazonaws.com", "aws"),
)
"""Looked for in the lower-cased text, in this order: special tools before the libraries that they use."""

_BROWSERS = (
    ("edg/", "edge"),
    ("edga/", "edge"),
    ("edgios/", "edge"),
    ("opr/", "opera"),
    ("samsungbrowser/", "samsung browser"),
    ("firefox/", "firefox"),
    ("fxios/", "firefox"),
    ("crios/", "chrome"),
    ("chrome/", "chrome"),
    ("safari/", "safari"),
    ("trident/", "internet explorer"),
)
"""Browsers claim to be one another, so the order counts."""

_SYSTEMS = (
    ("windows", "windows"),
    ("iphone", "ios"),
    ("ipad", "ios"),
    ("android", "android"),
    ("cros ", "chrome os"),
    ("mac os x", "mac"),
    ("linux", "linux"),
)
_SDK = re.compile(r"aws-sdk-[a-z+]+(?:-v?[0-9])?")
_FIRST = re.compile(r"[a-z][a-z_.-]*")


def agent_family(text: str) -> str:
    """The family: a browser with its system (`firefox on mac`), else a tool or library; empty for an empty text."""
    agent = text[:LONGEST_READ].lower().strip("[] ")
    if not agent:
        return ""
    if agent.startswith("mozilla/"):
        browser = next((name for part, name in _BROWSERS if part in agent), "browser")
        system = next((name for part, name in _SYSTEMS if part in agent), "")
        return f"{browser} on {system}" if system else browser
    for part, name in _BY_PART:
        if part in agent:
            return name
    found = _SDK.search(agent) or _FIRST.match(agent)
    return found.group() if found else "other"
