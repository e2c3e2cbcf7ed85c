"""What machines of a healthy account do: the pipeline, infrastructure as code, and services of AWS."""

from __future__ import annotations

from datetime import datetime, timedelta

from trailwatch.simulate.scribe import CLI, OFFICE, TERRAFORM, Record, Scribe, hexadecimal

BUCKETS = tuple(f"acme-{name}" for name in ("assets", "reports", "builds", "exports"))
FUNCTIONS = tuple(f"acme-{name}" for name in ("orders", "mailer", "thumbnails", "billing-sync", "search"))


def deploy(scribe: Scribe, at: datetime) -> None:
    run = f"GitHubActions-{hexadecimal(scribe.rng, 8)}"
    ip = f"192.0.2.{scribe.rng.randint(1, 254)}"
    agent = "aws-sdk-js/3.600.0 ua/2.0 os/linux lang/js md/nodejs#20.15.0 api/sts#3.600.0"
    provider = f"arn:aws:iam::{scribe.account}:oidc-provider/token.actions.githubusercontent.com"
    web = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:repo:acme/shop",
        "userName": "repo:acme/shop:ref:refs/heads/main",
        "identityProvider": provider,
    }
    role = f"arn:aws:iam::{scribe.account}:role/deploy"
    who = scribe.role("deploy", run, at)
    scribe.add(
        at,
        web,
        "sts",
        "AssumeRoleWithWebIdentity",
        ip,
        agent,
        request={"roleArn": role, "roleSessionName": run, "durationSeconds": 3600},
        response={"credentials": {"accessKeyId": who["accessKeyId"], "expiration": "later"}},
        read_only=True,
    )
    for function in scribe.rng.sample(FUNCTIONS, 2):
        request = {"functionName": function, "publish": True, "dryRun": False}
        scribe.add(
            at + timedelta(seconds=30), who, "lambda", "UpdateFunctionCode20150331v2", ip, CLI, request=request
        )
        request = {"functionName": function, "functionVersion": str(scribe.rng.randint(10, 99))}
        scribe.add(at + timedelta(seconds=40), who, "lambda", "PublishVersion20150331", ip, CLI, request=request)
    for name in ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"):
        scribe.add(at + timedelta(seconds=50), who, "ecr", name, ip, CLI, request={"repositoryName": "acme/shop"})
    for name in ("RegisterTaskDefinition", "UpdateService"):
        scribe.add(
            at + timedelta(seconds=70), who, "ecs", name, ip, CLI, request={"family": "shop", "cluster": "main"}
        )
    for name in ("CreateChangeSet", "ExecuteChangeSet"):
        scribe.add(at + timedelta(seconds=90), who, "cloudformation", name, ip, CLI, request={"stackName": "shop"})


def terraform(scribe: Scribe, at: datetime) -> None:
    who, ip = scribe.role("terraform", f"run-{hexadecimal(scribe.rng, 8)}", at), OFFICE
    name = f"svc-{hexadecimal(scribe.rng, 4)}"
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},'
        '"Action":"sts:AssumeRole"}]}'
    )
    scoped = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],'
        f'"Resource":"arn:aws:s3:::{scribe.rng.choice(BUCKETS)}/*"}}]}}'
    )
    calls: list[tuple[str, str, Record]] = [
        ("iam", "CreateRole", {"roleName": name, "path": "/", "assumeRolePolicyDocument": trust}),
        ("iam", "PutRolePolicy", {"roleName": name, "policyName": "data", "policyDocument": scoped}),
        (
            "iam",
            "AttachRolePolicy",
            {"roleName": name, "policyArn": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
        ),
        (
            "lambda",
            "CreateFunction20150331",
            {"functionName": name, "role": f"arn:aws:iam::{scribe.account}:role/{name}"},
        ),
        ("logs", "CreateLogGroup", {"logGroupName": f"/aws/lambda/{name}"}),
        ("logs", "PutRetentionPolicy", {"logGroupName": f"/aws/lambda/{name}", "retentionInDays": 30}),
        (
            "events",
            "PutRule",
            {"name": f"{name}-hourly", "scheduleExpression": "rate(1 hour)", "state": "ENABLED"},
        ),
        ("events", "PutTargets", {"rule": f"{name}-hourly"}),
        ("dynamodb", "CreateTable", {"tableName": name}),
        ("sqs", "CreateQueue", {"queueName": name}),
        ("monitoring", "PutMetricAlarm", {"alarmName": f"{name}-errors"}),
        ("kms", "CreateKey", {"description": name}),
    ]
    for second, (service, call, request) in enumerate(calls):
        scribe.add(at + timedelta(seconds=second), who, service, call, ip, TERRAFORM, request=request)
    old = f"svc-{hexadecimal(scribe.rng, 4)}"
    for call in ("DetachRolePolicy", "DeleteRolePolicy", "DeleteRole"):
        scribe.add(at + timedelta(seconds=30), who, "iam", call, ip, TERRAFORM, request={"roleName": old})


def services(scribe: Scribe, midnight: datetime) -> None:
    _functions_start(scribe, midnight)
    _fleet_scales(scribe, midnight)
    for hour in (1, 3):
        _backup(scribe, midnight + timedelta(hours=hour))


def _functions_start(scribe: Scribe, midnight: datetime) -> None:
    host = "lambda.amazonaws.com"
    for _ in range(180):
        at = midnight + timedelta(seconds=scribe.rng.uniform(0, 86400))
        function = scribe.rng.choice(FUNCTIONS)
        request: Record = {"roleArn": f"arn:aws:iam::{scribe.account}:role/{function}", "roleSessionName": function}
        caller = {"type": "AWSService", "invokedBy": host}
        scribe.add(at, caller, "sts", "AssumeRole", host, host, request=request, read_only=True)
        stream = f"{at:%Y/%m/%d}/[$LATEST]{hexadecimal(scribe.rng, 32)}"
        request = {"logGroupName": f"/aws/lambda/{function}", "logStreamName": stream}
        who, ip = scribe.role(function, function, at), f"192.0.2.{scribe.rng.randint(1, 254)}"
        later = at + timedelta(seconds=1)
        scribe.add(later, who, "logs", "CreateLogStream", ip, "awslambda-worker/1.0", request=request)


def _fleet_scales(scribe: Scribe, midnight: datetime) -> None:
    host, name = "autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"
    for _ in range(20):
        at = midnight + timedelta(seconds=scribe.rng.uniform(0, 86400))
        who = scribe.role(name, "AutoScaling", at)
        issuer = f"arn:aws:iam::{scribe.account}:role/aws-service-role/{host}/{name}"
        who["sessionContext"]["sessionIssuer"]["arn"] = issuer
        who["invokedBy"] = host
        call = scribe.rng.choice(("RunInstances", "TerminateInstances", "CreateTags", "RegisterTargets"))
        service = "elasticloadbalancing" if call == "RegisterTargets" else "ec2"
        scribe.add(at, who, service, call, host, host, request={"instanceType": "t3.small"})


def _backup(scribe: Scribe, at: datetime) -> None:
    host, name = "backup.amazonaws.com", "AWSBackupDefaultServiceRole"
    who = scribe.role(name, f"AWSBackup-{name}", at)
    who["invokedBy"] = host
    for call in ("CreateSnapshot", "DeleteSnapshot", "CreateTags"):
        request = {"volumeId": "vol-" + hexadecimal(scribe.rng, 17)}
        scribe.add(at, who, "ec2", call, host, host, request=request)
