import pytest

from trailwatch.detect.agent import agent_family


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("aws-cli/2.27.12 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 lang/python#3.13", "aws-cli"),
        ("aws-cli/1.16.301 Python/3.6.9 Linux/4.15 botocore/1.13.37", "aws-cli"),
        ("[aws-cli/2.0.0 Python/3.7]", "aws-cli"),
        ("Boto3/1.26.0 Python/3.9 Linux/5.10 Botocore/1.29.0", "boto3"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.5 terraform-provider-aws/5.0 aws-sdk-go-v2/1.20", "terraform"),
        ("aws-sdk-go/1.44.1 (go1.18; linux; amd64)", "aws-sdk-go"),
        ("aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22", "aws-sdk-go-v2"),
        ("aws-sdk-java/2.20.1 Linux/5.10", "aws-sdk-java"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "firefox on linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
            "edge on mac",
        ),
        ("console.amazonaws.com", "console"),
        ("cloudformation.amazonaws.com", "aws"),
        ("S3 Browser/11.6.7 (https://s3browser.com)", "s3 browser"),
        ("aws-cli/2.1 Python/3.9 Linux/5.10.0-kali9-amd64", "kali"),
        ("curl/8.0", "curl"),
        ("\x1b[31m", "other"),
        ("", ""),
    ],
)
def test_the_family_says_what_stays_when_the_version_changes(agent, family):
    assert agent_family(agent) == family
