"""Ordinary work: what a few people and a pipeline do all day, for an attack to hide in."""

from __future__ import annotations

from collections.abc import Callable

from trailwatch.simulate.company import Company, code
from trailwatch.simulate.stage import Stage

_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


def work(stage: Stage, company: Company, rounds: int = 3) -> None:
    """Plays that many rounds of work; everybody does one thing of theirs in each, in an order of chance."""
    stage.sign_in(company.operator, "omar", mfa=True)
    for number in range(rounds):
        turns: list[Callable[[Stage, Company, int], None]] = [_develop, _operate, _deploy, _look_around]
        stage.chance.shuffle(turns)
        for turn in turns:
            turn(stage, company, number)


def _develop(stage: Stage, company: Company, number: int) -> None:
    dana = company.developer
    stage.do(dana, "s3", "list_buckets")
    stage.do(dana, "s3", "put_object", Bucket=company.data_bucket, Key=f"orders/{number}.json", Body=b"{}")
    stage.do(dana, "lambda", "get_function", FunctionName=company.function)
    stage.do(dana, "logs", "describe_log_groups")
    stage.do(dana, "logs", "create_log_group", logGroupName=f"/shop/try-{stage.chance.randrange(10**6)}")


def _operate(stage: Stage, company: Company, number: int) -> None:
    omar = company.operator
    stage.do(omar, "ec2", "describe_instances", region=stage.chance.choice(_REGIONS))
    tag = {"Key": "checked", "Value": str(number)}
    stage.do(omar, "ec2", "create_tags", Resources=[company.instance], Tags=[tag])
    stage.do(omar, "ec2", "create_snapshot", VolumeId=company.volume, Description="nightly")
    stage.do(omar, "iam", "get_user", UserName="dana")
    stage.do(omar, "cloudtrail", "get_trail_status", Name=company.trail)


def _deploy(stage: Stage, company: Company, number: int) -> None:
    deploy = stage.assume(company.pipeline, company.deploy_role, f"build-{1400 + number}")
    new_code = code(f"return 'ordered {number}'")
    stage.do(deploy, "lambda", "update_function_code", FunctionName=company.function, ZipFile=new_code)
    stage.do(deploy, "lambda", "publish_version", FunctionName=company.function)
    stage.do(deploy, "sns", "create_topic", Name=f"deployed-{number}")
    stage.do(deploy, "s3", "put_object", Bucket=company.data_bucket, Key=f"builds/{number}", Body=b"built")


def _look_around(stage: Stage, company: Company, number: int) -> None:  # noqa: ARG001 all turns have one shape
    omar = company.operator
    region = stage.chance.choice(_REGIONS)
    stage.do(omar, "ec2", "describe_security_groups", region=region)
    stage.do(omar, "ec2", "describe_volumes", region=region)
    stage.do(omar, "iam", "get_role", RoleName="a-role-that-was-renamed")
