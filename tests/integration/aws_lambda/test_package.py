"""The package as AWS gets it: built, unpacked, and run by a Python that has nothing else."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError

from trailwatch.lab.accounts import Key
from trailwatch.testing import event

from .conftest import BUCKET, TABLE

ROOT = Path(__file__).parents[3]
UNREACHABLE = re.compile(
    r"Max retries|connection|Temporary failure|timed out|No matching distribution", re.IGNORECASE
)
INVOKE = """
import json, sys, time
HEAVY = {"sigma", "click", "rich", "jinja2", "boto3", "trailwatch.respond"}
sys.path.insert(0, ".")
begun = time.process_time()
from trailwatch.aws_lambda import handler
class Context:
    aws_request_id = sys.argv[1]
    def get_remaining_time_in_millis(self):
        return 30000
for line in sys.stdin:
    answer = handler(json.loads(line), Context())
    print(json.dumps({"trailwatch": "answer", **answer}))
modules = sorted(HEAVY & set(sys.modules))
print(json.dumps({"trailwatch": "end", "seconds": time.process_time() - begun, "modules": modules}))
"""
CONFIG = f"""
[aws_lambda]
table = "{TABLE}"
buckets = ["{BUCKET}"]
[rules]
dirs = ["own-rules"]
"""
OWN_RULE = """
title: A bucket of ours was listed
id: 7d1c7c52-5d6e-4c55-8a43-0d8c6f1f0d11
name: own_bucket_listed
status: test
level: medium
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: ListOurBuckets}
  condition: selection
trailwatch: {respond: lock-user}
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """What the package is built from, as it is at this moment."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(
        ROOT / "src" / "trailwatch", folder / "src" / "trailwatch", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "constraints.txt", "tools/lambda_zip.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "function.toml").write_text(CONFIG)
    (folder / "own-rules").mkdir()
    (folder / "own-rules" / "own.yml").write_text(OWN_RULE)
    return folder


def build(snapshot, output, *words):
    done = subprocess.run(
        [
            sys.executable,
            "tools/lambda_zip.py",
            "--output",
            output,
            "--config",
            "function.toml",
            "--add",
            "own-rules",
            *words,
        ],
        cwd=snapshot,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(snapshot, tmp_path_factory):
    """The folder that the package of this machine unpacks to."""
    folder = tmp_path_factory.mktemp("package")
    build(snapshot, folder / "function.zip", "--host")
    with zipfile.ZipFile(folder / "function.zip") as archive:
        archive.extractall(folder / "task")
    return folder / "task"


@pytest.fixture(autouse=True)
def _remembering(table):
    """Every function here has its table."""


def invoke(package, lab, *events, config=None, rights=None):
    """Runs the handler on the events, in a process that sees the package and nothing else."""
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", "-c", INVOKE, "request-1"],
        cwd=package,
        env={**(rights or lab.environment()), **({"TRAILWATCH_CONFIG": str(config)} if config else {})},
        input="".join(json.dumps(one) + "\n" for one in events),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"trailwatch"')]
    return done, lines


def of(lines, what):
    return [line for line in lines if line["trailwatch"] == what]


def bus(record, source="aws.iam", kind="AWS API Call via CloudTrail"):
    return {"id": "e1", "detail-type": kind, "source": source, "account": "1", "detail": record}


STOPPED = event("StopLogging", requestParameters={"name": "main"})


def test_a_cold_start_names_what_runs_and_what_cannot_and_compiles_nothing(package, lab):
    compiled = sorted((package / "cache").rglob("*.json"))
    _, lines = invoke(package, lab, bus(event("ListUsers")))
    assert sorted((package / "cache").rglob("*.json")) == compiled

    (start,) = of(lines, "start")
    assert start["rules"] > 100
    assert start["broken_rules"] == 0
    assert start["off"] == len(start["off_rules"]) > 20
    assert start["table"] == TABLE
    assert of(lines, "end")[0]["modules"] == []


def test_the_function_runs_from_its_package_and_tells_once(package, lab):
    own = event("ListOurBuckets")
    done, lines = invoke(package, lab, bus(STOPPED, "aws.cloudtrail"), bus(STOPPED, "aws.cloudtrail"), bus(own))

    assert done.returncode == 0, done.stderr
    assert "StopLogging" in done.stdout
    assert "A bucket of ours was listed" in done.stdout
    first, again, mine = of(lines, "answer")
    assert first["sent"] >= 1
    assert (again["sent"], again["known"] > 0) == (0, True)
    assert mine["sent"] == 1

    _, later = invoke(package, lab, bus(STOPPED, "aws.cloudtrail"))
    assert of(later, "answer")[0]["sent"] == 0


def test_responding_by_itself_is_refused_without_a_table(package, lab, tmp_path):
    config = tmp_path / "untabled.toml"
    config.write_text("[respond.automatic.playbooks.lock-user]\n")

    done, _ = invoke(package, lab, bus(STOPPED), config=config)

    assert done.returncode == 1
    assert "a function cannot respond by itself without a table" in done.stderr
    assert "set aws_lambda.table" in done.stderr


AUTOMATIC = f"""
[rules]
dirs = ["own-rules"]
[store]
path = "STORE"
[aws_lambda]
table = "{TABLE}"
buckets = ["{BUCKET}"]
[respond]
recheck = "0s"
[respond.automatic.playbooks.lock-user]
min_severity = "medium"
min_score = 0
"""


def listed_by(lab, user):
    """A user of the lab, with a key, and the event of what they did just now."""
    iam = client_of(lab, lab.admin, "iam")
    iam.create_user(UserName=user)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=user, PolicyName="everything", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=user)["AccessKey"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"], "")
    change = {
        "userIdentity.arn": f"arn:aws:iam::{lab.account}:user/{user}",
        "userIdentity.accountId": lab.account,
        "userIdentity.userName": user,
        "userIdentity.accessKeyId": key.access_key_id,
        "recipientAccountId": lab.account,
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return key, bus(event("ListOurBuckets", change=change), "aws.s3")


def client_of(lab, key, service):
    session = boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")
    return session.client(service, endpoint_url=lab.url)


def refusal_of(lab, key):
    try:
        client_of(lab, key, "iam").list_users()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def command(lab, config, *words):
    done = subprocess.run(  # elsewhere than the function, with its own home
        [Path(sys.executable).with_name("trailwatch"), "--config", config, *words],
        env={**lab.environment(), "HOME": str(config.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_printed_rights(lab, config):
    """The environment of a function that may do what `trailwatch iam policy` prints, and nothing else."""
    iam = client_of(lab, lab.admin, "iam")
    iam.create_user(UserName="function")
    for mode in ("function", "respond"):
        document = command(lab, config, "iam", "policy", mode)
        iam.put_user_policy(UserName="function", PolicyName=mode, PolicyDocument=document)
    made = iam.create_access_key(UserName="function")["AccessKey"]
    return lab.environment(Key(made["AccessKeyId"], made["SecretAccessKey"], ""))


def test_a_function_locks_out_once_and_the_command_line_undoes_and_freezes_it(package, lab, tmp_path):
    config = tmp_path / "automatic.toml"
    config.write_text(AUTOMATIC.replace("STORE", str(tmp_path / "state.sqlite3")))
    rights = with_printed_rights(lab, config)
    (key, listed), (other, later) = listed_by(lab, "dora"), listed_by(lab, "ivo")

    done, lines = invoke(package, lab, listed, listed, config=config, rights=rights)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("locked out automatically: user dora") == 1, done.stdout
    assert refusal_of(lab, key) == "InvalidClientTokenId"
    assert [line["errors"] for line in of(lines, "invocation")] == [[], []]

    plan = re.search(r"trailwatch respond undo ([0-9a-f]{12})", done.stdout)[1]
    assert plan in command(lab, config, "respond", "status")
    command(lab, config, "respond", "undo", plan, "--yes")
    assert refusal_of(lab, key) == ""

    command(lab, config, "respond", "freeze", "on", "--why", "exercise")
    frozen, _ = invoke(package, lab, later, config=config, rights=rights)
    assert "not locked out automatically: user ivo" in frozen.stdout
    assert "exercise" in frozen.stdout
    assert refusal_of(lab, other) == ""


def test_a_function_asks_and_its_schedule_does_what_was_approved(package, lab, tmp_path):
    config = tmp_path / "asking.toml"
    config.write_text(AUTOMATIC.replace("STORE", str(tmp_path / "state.sqlite3")) + "approval = '10m'\n")
    (key, listed), schedule = listed_by(lab, "ada"), bus({}, "aws.events", "Scheduled Event")

    asked, _ = invoke(package, lab, listed, schedule, config=config)
    case = re.search(r"trailwatch respond approve ([0-9a-f]{12})", asked.stdout)[1]
    assert refusal_of(lab, key) == ""

    assert "is approved" in command(lab, config, "respond", "approve", case)
    done, lines = invoke(package, lab, schedule, schedule, config=config)

    assert refusal_of(lab, key) == "InvalidClientTokenId"
    assert done.stdout.count("locked out automatically: user ada") == 1
    assert [line["sent"] for line in of(lines, "answer")] == [1, 0]


@pytest.mark.soak
def test_the_same_tree_gives_the_same_bytes(snapshot, tmp_path, package):
    said = build(snapshot, tmp_path / "again.zip", "--host")

    again = (tmp_path / "again.zip").read_bytes()
    assert again == (package.parent / "function.zip").read_bytes()
    assert f"sha256 {hashlib.sha256(again).hexdigest()}" in said
    assert re.search(r"\d+ files, \d+\.\d MB packed, \d+\.\d MB unpacked", said)


@pytest.mark.soak
def test_the_package_for_aws_fits_and_holds_wheels_of_its_platform(snapshot, tmp_path):
    build(snapshot, tmp_path / "aws.zip", "--python", "3.13", "--arch", "arm64")

    with zipfile.ZipFile(tmp_path / "aws.zip") as archive:
        names = archive.namelist()
        unpacked = sum(info.file_size for info in archive.infolist())
    binaries = [name for name in names if name.endswith(".so")]
    assert binaries
    assert all("aarch64" in name or ".abi3." in name for name in binaries)
    assert (tmp_path / "aws.zip").stat().st_size < 50 * 2**20
    assert unpacked < 250 * 2**20
    assert names == sorted(names)
    assert not any(name.startswith("boto3/") for name in names)


def test_every_service_that_the_code_asks_for_is_described_in_the_package(package):
    kept = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    asked = set()
    for folder in ("", "sources", "notify", "dynamo", "aws_lambda", "respond"):
        for path in (ROOT / "src" / "trailwatch" / folder).glob("**/*.py" if folder else "*.py"):
            text = path.read_text()
            asked |= set(re.findall(r'(?:_client\([\w.]+, |client\(|Call\([\w.]+, |_ask\()"([a-z0-9-]+)"', text))

    assert {"s3", "dynamodb", "iam", "sts"} <= asked
    assert asked <= kept


def test_exact_versions_go_in(package):
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pinned = {name.lower().replace("-", "_"): version for name, version in pinned.items()}
    inside = [path.name.removesuffix(".dist-info").rsplit("-", 1) for path in package.glob("*.dist-info")]

    assert len(inside) > 15
    assert {name: pinned[name.lower().replace("-", "_")] for name, _ in inside} == dict(inside)


def test_what_is_asked_is_json_all_the_way(package, lab):
    _, lines = invoke(package, lab, {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": "x"}]})

    assert of(lines, "answer")[0]["batchItemFailures"] == [{"itemIdentifier": "m"}]
    assert msgspec.json.encode(lines[-1])
