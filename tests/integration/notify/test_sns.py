"""SNS for real: moto's service over HTTP, read through a queue that is subscribed to the topic."""

import json

import boto3
import pytest
from moto.server import ThreadedMotoServer

from trailwatch.aws import ambient_client
from trailwatch.errors import ConfigError, NotifyError
from trailwatch.notify.sns import MESSAGE_LIMIT_BYTES, SnsNotifier, one_line_of_ascii, within

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(endpoint, monkeypatch, tmp_path):
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


class Subscribed:
    """A topic, and a queue that gets what is published there."""

    def __init__(self, name):
        fifo = name.endswith(".fifo")
        sns, self.sqs = boto3.client("sns", REGION), boto3.client("sqs", REGION)
        attributes = {"FifoTopic": "true"} if fifo else {}
        self.topic = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        attributes = {"FifoQueue": "true"} if fifo else {}
        self.queue = self.sqs.create_queue(QueueName=f"q-{name}", Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def arrived(self):
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"])
        return found.get("Messages", [])


def notifier(topic, zone=None):
    return SnsNotifier("topic", topic, lambda region: ambient_client("sns", region), zone)


@pytest.mark.usefixtures("aws")
def test_a_subscriber_gets_subject_text_and_attributes_to_filter_by(samples):
    place = Subscribed("alerts")

    assert notifier(place.topic).send(samples.attack()).startswith("message id ")

    [message] = place.arrived()
    told = json.loads(message["Body"])
    assert told["Subject"].startswith("[trailwatch] CRITICAL Trail logging stopped - role deploy as mallory")
    assert "WHAT TO DO NEXT" in told["Message"]
    assert {name: value["Value"] for name, value in told["MessageAttributes"].items()} == {
        "severity": "critical",
        "kind": "alert",
        "account": "123456789012",
    }


@pytest.mark.usefixtures("aws")
def test_a_message_that_is_sent_again_arrives_once_on_a_fifo_topic(samples):
    place = Subscribed("alerts.fifo")
    notifier(place.topic).send(samples.attack())
    notifier(place.topic).send(samples.attack())

    [message] = place.arrived()
    assert message["Attributes"]["MessageGroupId"] == "arn-aws-iam--123456789012-role-deploy"


@pytest.mark.usefixtures("aws")
def test_a_message_that_is_too_large_is_cut_and_says_so(samples):
    place = Subscribed("large")
    huge = samples.message(headline="trouble", body="\u00fc" * 1_000_000)
    notifier(place.topic).send(huge)

    [message] = place.arrived()
    assert len(message["Body"].encode()) < MESSAGE_LIMIT_BYTES * 2
    assert len(json.loads(message["Body"])["Message"].encode()) < MESSAGE_LIMIT_BYTES


@pytest.mark.usefixtures("aws")
def test_a_topic_that_is_not_there_is_told_and_tried_again(samples):
    with pytest.raises(NotifyError, match="allow sns:Publish on it; it is tried again") as caught:
        notifier(f"arn:aws:sns:{REGION}:123456789012:gone").send(samples.attack())

    assert not caught.value.permanent


@pytest.mark.usefixtures("aws")
def test_nobody_there_is_told_once_and_tried_again(samples, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(NotifyError, match="it is tried again"):
        notifier(f"arn:aws:sns:{REGION}:123456789012:gone").send(samples.attack())


@pytest.mark.parametrize("topic", ["", "alerts", "arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:sns:x:1:alerts"])
def test_what_is_no_topic_is_an_error_of_the_configuration(topic):
    with pytest.raises(ConfigError, match="notify topic: no ARN of a topic"):
        notifier(topic)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("plain", "plain"),
        ("\n\x1b[2Jtwo\nlines", "??[2Jtwo?lines"),
        ("über 雪", "?ber ?"),
        ("", "trailwatch"),
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 96 + "..."),
    ],
)
def test_a_subject_is_one_line_of_ascii_of_less_than_a_hundred_characters(text, subject):
    assert one_line_of_ascii(text) == subject


def test_text_is_cut_at_a_whole_character():
    assert within("short") == "short"
    cut = within("\u00fc" * 1000, 500)
    assert len(cut.encode()) <= 500
    assert cut.startswith("\u00fc\u00fc")
    assert cut.endswith("see `trailwatch alerts list`\n")
