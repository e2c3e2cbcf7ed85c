import gzip
import json

import pytest

from trailwatch.decode.containers import split
from trailwatch.decode.unfold import LIMIT_RECORD_BYTES, REJECT_KEPT_BYTES

ONE = {"eventName": "CreateUser", "eventTime": "2026-03-02T09:00:00Z", "eventID": "1"}
TWO = {"eventName": "DeleteTrail", "eventTime": "2026-03-02T09:01:00Z", "eventID": "2", "message": "text"}


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def looked_up(record):
    return {"EventId": record["eventID"], "EventName": "?", "Resources": [], "CloudTrailEvent": json.dumps(record)}


def bridged(record):
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "resources": [],
        "detail": record,
    }


def logged(record):
    return {"id": "3", "timestamp": 1, "message": json.dumps(record)}


CONTAINERS = {
    "a trail's file": json.dumps({"Records": [ONE, TWO]}),
    "a trail's file, indented": json.dumps({"Records": [ONE, TWO]}, indent=2),
    "two trail files joined": json.dumps({"Records": [ONE]}) + json.dumps({"Records": [TWO]}),
    "two trail files on lines": compact({"Records": [ONE]}) + "\n" + compact({"Records": [TWO]}) + "\n",
    "an array": json.dumps([ONE, TWO]),
    "an array, one element a line": "[\n" + ",\n".join([compact(ONE), compact(TWO)]) + "\n]",
    "lines": compact(ONE) + "\n" + compact(TWO) + "\n",
    "lines with DOS ends and empty ones": compact(ONE) + "\r\n\r\n" + compact(TWO) + "\r\n",
    "indented objects one after another": json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
    "EventBridge, array": json.dumps([bridged(ONE), bridged(TWO)]),
    "EventBridge, lines": compact(bridged(ONE)) + "\n" + compact(bridged(TWO)),
    "lookup-events output": json.dumps({"Events": [looked_up(ONE), looked_up(TWO)], "NextToken": "x"}, indent=4),
    "lookup-events entries, lines": compact(looked_up(ONE)) + "\n" + compact(looked_up(TWO)),
    "filter-log-events output": json.dumps({"events": [logged(ONE), logged(TWO)], "searchedLogStreams": []}),
    "a subscription's payload": json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [logged(ONE), logged(TWO)]}),
    "a CloudWatch Logs export": f"2026-03-02T09:00:01.123Z {compact(ONE)}\n2026-03-02T09:01:01.000Z {compact(TWO)}\n",
    "log events, lines": compact(logged(ONE)) + "\n" + compact(logged(TWO)),
    "log events whose message is an object": json.dumps([{"timestamp": 1, "message": ONE}, {"message": TWO}]),
}


@pytest.mark.parametrize("text", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_both_records_of_every_container_are_read(text, packed):
    body = gzip.compress(text.encode()) if packed else text.encode()

    parts = split(body, "somewhere")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE, TWO]
    assert list(parts.positions) == [0, 1]
    assert not parts.rejects
    assert not parts.left_out


@pytest.mark.parametrize(
    "text", [compact(ONE), json.dumps(ONE, indent=2), compact(bridged(ONE)), compact(looked_up(ONE))]
)
def test_a_single_object_is_one_record(text):
    assert [json.loads(bytes(raw)) for raw in split(text.encode(), "x").records] == [ONE]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_as_windows_writes_it_is_read(encoding):
    parts = split(json.dumps({"Records": [ONE]}).encode(encoding), "x")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE]


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_left_out_and_counted(body):
    parts = split(body, "x")

    assert not parts.records
    assert not parts.rejects
    assert parts.left_out == {"empty file": 1}


def test_a_trail_file_without_records_holds_nothing():
    parts = split(b'{"Records":[]}', "x")

    assert not parts.records
    assert not parts.left_out


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("AWSLogs/1/CloudTrail-Digest/us-east-1/2026/03/02/x.json.gz", "digest file"),
        ("/logs/AWSLogs/1/CloudTrail-Insight/us-east-1/2026/03/02/x.json.gz", "insight file"),
    ],
)
def test_digest_and_insight_files_are_known_by_their_path(path, what):
    assert split(b"whatever", path).left_out == {what: 1}


def test_a_digest_file_is_known_by_its_content():
    digest = {"awsAccountId": "1", "digestS3Object": "x", "logFiles": []}

    assert split(json.dumps(digest).encode(), "renamed.json").left_out == {"digest file": 1}


def test_events_of_other_services_are_left_out_and_counted():
    other = {"version": "0", "detail-type": "EC2 Instance State-change Notification", "detail": {"state": "running"}}

    parts = split(json.dumps([bridged(ONE), other, bridged(TWO)]).encode(), "x")

    assert list(parts.positions) == [0, 2]
    assert parts.left_out == {"EventBridge event that is neither from CloudTrail nor from GuardDuty": 1}


def test_a_control_message_is_left_out():
    body = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL"}]}

    assert split(json.dumps(body).encode(), "x").left_out == {"control message": 1}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("[" * 10_000 + "]" * 10_000, "nested too deeply"), ('{"a" 1}', "malformed"), ("{'a': 1}", "malformed")],
)
@pytest.mark.parametrize(
    "form", ['{{"Records":[{0},{1},{2}]}}', '{{"x":1,"Records":[{0},{1},{2}]}}', "[{0},{1},{2}]", "{0}\n{1}\n{2}\n"]
)
def test_one_bad_record_is_one_reject_and_its_neighbours_are_read(bad, reason, form):
    text = form.format(compact(ONE), bad, compact(TWO))

    parts = split(text.encode(), "file")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE, TWO]
    assert list(parts.positions) == [0, 2]
    assert [reject.position for reject in parts.rejects] == [1]
    assert parts.rejects[0].reason.startswith("file: record 1: ")
    assert reason in parts.rejects[0].reason
    assert parts.rejects[0].body == bad.encode()[:REJECT_KEPT_BYTES]


def test_broken_text_is_mended_counted_and_read():
    text = '{"Records":[{"eventName":"a\\ud800"},{"eventName":NaN},{"eventName":"fine"}]}'

    parts = split(text.encode(), "x")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [
        {"eventName": "a\ufffd"},
        {"eventName": None},
        {"eventName": "fine"},
    ]
    assert parts.mended == 2
    assert not parts.rejects


def test_invalid_utf8_never_reaches_a_record():
    parts = split(b'{"Records":[{"userAgent":"\xff\xfe"}]}', "x")

    assert bytes(parts.records[0]).decode() == '{"userAgent":"\ufffd\ufffd"}'
    assert parts.mended == 2


@pytest.mark.parametrize("form", ['{{"Records":[{0},{1}', "{0}\n{1}"])
def test_of_a_torn_gzip_the_complete_records_are_kept_and_one_reject_says_where_it_broke(form):
    filler = [
        dict(TWO, eventID=str(n), noise="".join(chr(97 + (n * k) % 26) for k in range(200))) for n in range(400)
    ]
    join = "," if "Records" in form else "\n"
    body = gzip.compress(form.format(compact(ONE), join.join(map(compact, filler))).encode())

    parts = split(body[: len(body) * 2 // 3], "torn.gz")

    assert json.loads(bytes(parts.records[0])) == ONE
    assert 10 < len(parts.records) < 400
    assert len(parts.rejects) == 1
    assert "ends early" in parts.rejects[0].reason
    assert parts.rejects[0].position == len(parts.records)


def test_a_torn_plain_file_is_one_reject_for_the_record_that_is_cut():
    text = '{"Records":[' + compact(ONE) + "," + compact(TWO)[:30]

    parts = split(text.encode(), "x")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE]
    assert [reject.position for reject in parts.rejects] == [1]
    assert "cut off" in parts.rejects[0].reason


def test_a_gzip_bomb_is_one_reject_for_the_whole_body():
    parts = split(gzip.compress(bytes(100_000_000), 9), "bomb.gz")

    assert [reject.position for reject in parts.rejects] == [-1]
    assert "gzip bomb" in parts.rejects[0].reason


def test_a_record_of_100_megabytes_is_a_reject_of_bounded_size():
    big = '{"eventName":"Big","requestParameters":"' + "x" * 100_000_000 + '"}'

    parts = split(f'{{"Records":[{compact(ONE)},{big}]}}'.encode(), "x")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE]
    assert [(reject.position, len(reject.body)) for reject in parts.rejects] == [(1, REJECT_KEPT_BYTES)]
    assert len(big) > LIMIT_RECORD_BYTES


@pytest.mark.parametrize("body", [b"just a text\nof two lines", b"\x89PNG\r\n\x1a\n", b"a,b\n1,2\n", b"\x1f\x8bxx"])
def test_what_is_no_log_at_all_is_one_reject(body):
    parts = split(body, "x")

    assert not parts.records
    assert [reject.position for reject in parts.rejects] == [-1]


@pytest.mark.parametrize(
    "text", [b"1\n" * 5_000_000, b"[" + b"1," * 5_000_000 + b"1]", b'{"Records":[' + b"{}," * 3_000_000]
)
def test_a_body_of_millions_of_pieces_that_are_no_records_is_one_reject(text):
    parts = split(text, "x")

    assert not parts.records
    assert [reject.position for reject in parts.rejects] == [-1]


@pytest.mark.parametrize("text", [b"[" * 3_000_000, b'{"a":' * 500_000, b'{"Records":[' + b'{"a":[' * 500_000])
def test_a_body_that_only_opens_brackets_is_one_reject(text):
    assert len(split(text, "x").rejects) == 1


def test_a_message_that_is_no_json_is_a_reject():
    parts = split(json.dumps({"events": [logged(ONE), {"message": "START RequestId"}]}).encode(), "x")

    assert len(parts.records) == 1
    assert [reject.position for reject in parts.rejects] == [1]


def test_what_follows_a_container_is_never_lost():
    text = json.dumps({"Records": [ONE]}) + json.dumps({"x": 1, "Records": [TWO], "y": [{}]}) + "rest"

    parts = split(text.encode(), "x")

    assert [json.loads(bytes(raw)) for raw in parts.records] == [ONE, TWO]
    assert [reject.body for reject in parts.rejects] == [b"rest"]


def test_a_member_for_each_trail_file_is_read_whole():
    body = b"".join(gzip.compress(json.dumps({"Records": [one]}).encode()) for one in (ONE, TWO))

    assert len(split(body, "x").records) == 2


def test_envelopes_within_envelopes_end():
    text = json.dumps(ONE)
    for _ in range(8):
        text = json.dumps({"message": text})

    parts = split(text.encode(), "x")

    assert len(parts.records) + len(parts.rejects) == 1
