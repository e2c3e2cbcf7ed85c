# ruff: noqa: INP001, T201 a program that prints, not a package
"""Writes src/trailwatch/rules/api_names.json.gz: which event names each event source can log.

Run it after botocore was updated: `python tools/generate_api_names.py`. It reads botocore's service models and
tools/logged_names.txt, which holds the names that logs carry and no model has.

The file is JSON:
    botocore    version of the models
    names       event source -> its event names, sorted, joined by blanks
    scalars     name of a request parameter -> s, n or b where every API that has it takes a text, number, boolean
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from pathlib import Path

import botocore
import botocore.loaders

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "trailwatch" / "rules" / "api_names.json.gz"
LOGGED = ROOT / "tools" / "logged_names.txt"

# Event sources that are named after none of the names in the model.
SOURCES = {
    "sesv2": "ses",
    "ses": "ses",
    "s3control": "s3",
    "s3outposts": "s3-outposts",
    "rds-data": "rdsdata",
    "bedrock-runtime": "bedrock",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "ecr": "ecr",
    "ecr-public": "ecr-public",
    "wafv2": "wafv2",
    "elbv2": "elasticloadbalancing",
    "ebs": "ebs",
    "dynamodbstreams": "dynamodb",
    "sso": "sso",
    "sso-oidc": "sso",
    "iot-data": "iotdata",
    "pinpoint": "mobiletargeting",
    "resourcegroupstaggingapi": "tagging",
    "cur": "cur",
    "ce": "ce",
    "docdb": "rds",
    "neptune": "rds",
}
TYPES = {"string": "s", "integer": "n", "long": "n", "float": "n", "double": "n", "boolean": "b"}
LAMBDA_DATE = re.compile(r"^/(\d{4})-(\d\d)-(\d\d)/")
# Lambda's oldest API is logged under dated names only, but for the calls themselves.
LAMBDA_DATED_ONLY = "20150331"
LAMBDA_BARE = {"Invoke", "InvokeAsync", "InvokeWithResponseStream"}


def main() -> None:
    loader = botocore.loaders.create_loader()
    names: dict[str, set[str]] = defaultdict(set)
    types: dict[str, set[str]] = defaultdict(set)
    for service in loader.list_available_services("service-2"):
        for version in loader.list_api_versions(service, "service-2"):
            model = loader.load_service_model(service, "service-2", version)
            logged = set(logged_names(service, version, model["operations"]))
            for source in sources_of(service, model["metadata"]):
                names[source] |= logged
            collect_types(model, types)
    for line in LOGGED.read_text().splitlines():
        if line and not line.startswith("#"):
            source, *extra = line.split()
            names[source] |= set(extra)
    scalars = {name: next(iter(kinds)) for name, kinds in types.items() if len(kinds) == 1 and kinds <= set("snb")}
    body = {
        "botocore": botocore.__version__,
        "names": {source: " ".join(sorted(known)) for source, known in sorted(names.items())},
        "scalars": dict(sorted(scalars.items())),
    }
    text = json.dumps(body, separators=(",", ":")).encode()
    TARGET.write_bytes(gzip.compress(text, 9, mtime=0))
    total = len({name for known in names.values() for name in known})
    print(f"{len(names)} event sources, {total} names, {len(scalars)} scalars, {TARGET.stat().st_size} bytes")


def sources_of(service: str, metadata: dict[str, str]) -> set[str]:
    prefixes = {service, metadata["endpointPrefix"], metadata.get("signingName", service)}
    prefixes.add(SOURCES.get(service, service))
    return {f"{prefix}.amazonaws.com" for prefix in prefixes if "." not in prefix}


def logged_names(service: str, version: str, operations: dict[str, dict[str, object]]) -> list[str]:
    names: list[str] = []
    for name, operation in operations.items():
        if service == "lambda":
            names.extend(lambda_names(name, operation["http"]["requestUri"]))
        elif service == "cloudfront":
            names.extend([name, name + version.replace("-", "_")])
        else:
            names.append(name)
    return names


def lambda_names(name: str, uri: str) -> list[str]:
    date = "".join(LAMBDA_DATE.match(uri).groups())
    dated = [name + date, f"{name}{date}v2"]
    return dated if date == LAMBDA_DATED_ONLY and name not in LAMBDA_BARE else [name, *dated]


def collect_types(model: dict[str, dict[str, dict[str, object]]], types: dict[str, set[str]]) -> None:
    shapes = model["shapes"]
    for operation in model["operations"].values():
        shape = operation.get("input")
        for member, target in shapes[shape["shape"]].get("members", {}).items() if shape else ():
            kind = TYPES.get(shapes[target["shape"]]["type"], "other")
            types[member[0].lower() + member[1:]].add(kind)


if __name__ == "__main__":
    main()
