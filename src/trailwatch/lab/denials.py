"""How services say no to a caller who has no right to a call; each protocol has a spelling of its own."""

from __future__ import annotations

from trailwatch.lab.answers import Refusal
from trailwatch.lab.call import Call


def access_denied(call: Call, principal: str = "", resource: str = "*", reason: str = "") -> Refusal:
    """The denial of a call in its protocol's spelling."""
    action = f"{call.signing_name}:{call.operation}"
    if call.protocol == "ec2":
        return Refusal("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
    if call.signing_name == "s3":
        return Refusal("AccessDenied", "Access Denied", 403)
    text = f"User: {principal or 'unknown'} is not authorized to perform: {action} on resource: {resource}{reason}"
    if call.protocol in {"json", "rest-json"}:
        return Refusal("AccessDeniedException", text, 403 if call.protocol == "rest-json" else 400)
    return Refusal("AccessDenied", text, 403)
