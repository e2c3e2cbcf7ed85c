# ruff: noqa: INP001, T201 a program that prints, not a package
"""Builds the package of the AWS Lambda function: `make lambda-zip`.

It holds this tree's own code, the exact versions of constraints.txt, the rules compiled, and optionally a
configuration and folders of rules. The same input gives the same bytes: names are sorted, times are those of 1980,
and nothing of the machine goes in.

The command line's own dependencies are left out. Of botocore, only the descriptions of the services that are called
go in: all of them would add 15 MB, and leaving botocore to Lambda's runtime would leave its version to chance.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "build" / "trailwatch-lambda.zip"
OF_THE_COMMAND_LINE = frozenset({"boto3", "click", "rich"})
"""Dependencies that the function does not import; of boto3 it needs botocore alone."""
INSTEAD = ("botocore",)
SERVICES = frozenset({"cloudtrail", "dynamodb", "ec2", "guardduty", "iam", "lambda", "s3", "sns", "sqs", "sts"})
"""Services that anything in the function may call."""
NEWEST_GLIBC = {"3.12": 34, "3.13": 34, "3.14": 34}
"""Version of Python -> the minor version of glibc 2 in Lambda's runtime. That of 3.11 is too old for the wheels."""
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
UNPACKED = "/var/task"
"""Where Lambda unpacks it; tracebacks name it."""
EPOCH = (1980, 1, 1, 0, 0, 0)
NOT_NEEDED = re.compile(r"(?:^|/)(?:__pycache__|bin|[^/]*-stubs[^/]*|types_[^/]*|tests?)/|\.(?:pyi|pyc|c|h|pyx)$")
OF_THE_INSTALLER = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
COMPILE = """
import os, sys
from trailwatch import wiring
from trailwatch.config.load import load
environment = {"XDG_CACHE_HOME": sys.argv[1], **({"TRAILWATCH_CONFIG": sys.argv[2]} if sys.argv[2:] else {})}
config = load(None, environment).config
rules = wiring.load_ruleset(config, environment)
wiring.load_suppressions(config, environment)
broken = [problem for problem in rules.problems if problem.error]
for problem in broken:
    print(f"{problem.origin}: {problem.text}", file=sys.stderr)
sys.exit(1 if broken else 0)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the package was written; its size and hash go to stdout."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        install(package, requirements(options.extra), options)
        prune(package)
        add_own(package, options.config, options.add)
        compile_rules(package)
        compiled = compile_code(package, options)
        sizes = write_zip(package, options.output)
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    packed = options.output.stat().st_size
    print(f"{options.output}")
    print(f"{len(sizes)} files, {packed / 1e6:.1f} MB packed, {sum(sizes.values()) / 1e6:.1f} MB unpacked")
    if not compiled:
        print(f"not compiled, because there is no python{options.python} here: a cold start takes twice as long")
    print(f"sha256 {digest}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the package goes (default: %(default)s)")
    parser.add_argument("--python", default="3.13", choices=NEWEST_GLIBC, help="runtime (default: %(default)s)")
    parser.add_argument("--arch", default="x86_64", choices=MACHINES, help="architecture (default: %(default)s)")
    parser.add_argument("--host", action="store_true", help="for this machine and this Python, to try it out")
    parser.add_argument("--config", type=Path, help="the configuration that goes into it")
    parser.add_argument(
        "--add", type=Path, action="append", default=[], help="folder that goes in, such as your rules"
    )
    parser.add_argument("--extra", action="append", default=[], help="extra of the project, such as slack")
    return parser.parse_args(arguments)


def requirements(extras: Sequence[str]) -> list[str]:
    """What the function depends on, without versions: constraints.txt has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {re.match(r"[A-Za-z0-9._-]+", one)[0] for one in wanted}  # type: ignore[index]
    return sorted((names - OF_THE_COMMAND_LINE) | set(INSTEAD))


def install(package: Path, names: Sequence[str], options: argparse.Namespace) -> None:
    """Puts the dependencies there, from ready-built wheels alone."""
    where: list[str] = []
    if not options.host:
        machine, glibc = MACHINES[options.arch], NEWEST_GLIBC[options.python]
        tags = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in range(17, glibc + 1))]
        where = ["--implementation", "cp", "--python-version", options.python]
        where += [word for tag in tags for word in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary", ":all:", "--constraint", str(ROOT / "constraints.txt"), "--target", str(package)]
    if subprocess.run([*command, *where, *names], check=False).returncode:
        raise SystemExit("error: pip could not install the dependencies; it says above why")


def prune(package: Path) -> None:
    """Removes what no call needs, and what differs from one machine to the next."""
    data = package / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for path in sorted(package.rglob("*"), reverse=True):
        name = path.relative_to(package).as_posix()
        if path.is_file() and (NOT_NEEDED.search(name) or path.name in OF_THE_INSTALLER):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def add_own(package: Path, config: Path | None, folders: Sequence[Path]) -> None:
    """Puts the code of this tree there, and what the user adds."""
    # what was compiled here is for this machine; whoever is without it is only slower
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "_glance.*", "_columns.*")
    shutil.copytree(ROOT / "src" / "trailwatch", package / "trailwatch", ignore=ignore)
    rules = package / "trailwatch" / "rulepack"
    digest = hashlib.sha256()
    for name, path in _files(rules):
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    # unpacked files have times of their own, so the rules are known by what they say
    (rules / "SEAL").write_text(digest.hexdigest(), encoding="utf-8")
    if config is not None:
        shutil.copyfile(config, package / "trailwatch.toml")
    for folder in folders:
        shutil.copytree(folder, package / folder.resolve().name, ignore=ignore)


def compile_rules(package: Path) -> None:
    """Compiles the rules with the code that was put there, so that no cold start has to."""
    config = package / "trailwatch.toml"
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [str(package / "cache"), *(["trailwatch.toml"] if config.is_file() else [])]
    # the machine's own packages do the compiling: those of another platform do not run here
    search = os.pathsep.join([str(package / "only"), *(path for path in sys.path if path)])
    (package / "only").mkdir()
    (package / "only" / "trailwatch").symlink_to(package / "trailwatch")
    environment["PYTHONPATH"] = search
    try:
        subprocess.run([sys.executable, "-P", "-c", COMPILE, *arguments], cwd=package, env=environment, check=True)
    finally:
        shutil.rmtree(package / "only")
    for examples in (package / "cache").rglob("examples-*.json"):
        examples.unlink()


def compile_code(package: Path, options: argparse.Namespace) -> bool:
    """Compiles the code where this machine has the runtime's Python: a cold start cannot keep what it compiles."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = sys.executable if options.host or options.python == here else shutil.which(f"python{options.python}")
    if python is None or subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
        return False
    command = [python, "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(package), "-p", UNPACKED, str(package)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    # what other packages hold as data for other versions need not compile
    subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    return True


def write_zip(package: Path, output: Path) -> dict[str, int]:
    """Writes every file by name; name -> size."""
    output.parent.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in _files(package):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            body = path.read_bytes()
            archive.writestr(info, body)
            sizes[name] = len(body)
    return sizes


def _files(package: Path) -> Iterator[tuple[str, Path]]:
    found = {path.relative_to(package).as_posix(): path for path in package.rglob("*") if path.is_file()}
    yield from sorted(found.items())


if __name__ == "__main__":
    sys.exit(main())
