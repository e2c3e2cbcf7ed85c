import pytest

from trailwatch.model import secrets
from trailwatch.model.secrets import MASK, Mask, is_secret_name, masked


@pytest.mark.parametrize(
    "name",
    [
        "sessionToken",
        "SecretAccessKey",
        "secret_access_key",
        "masterUserPassword",
        "password",
        "SecretString",
        "userData",
        "private-key",
        "Authorization",
        "authToken",
    ],
)
def test_a_field_that_holds_a_secret_is_known_by_its_name(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["secretId", "accessKeyId", "nextToken", "userName", "passwordLastUsed", "keyId", "clientRequestToken"]
)
def test_other_fields_are_left_alone(name):
    assert not is_secret_name(name)


def test_secrets_are_masked_wherever_they_are_and_the_record_is_not_changed():
    record = {
        "requestParameters": {"userName": "dora", "password": "hunter22", "tags": [{"token": 1}]},
        "responseElements": {"credentials": {"accessKeyId": "ASIA1", "sessionToken": "IQoJ", "expiration": "soon"}},
        "list": [{"secretString": {"value": "deep"}}, {"password": None}, {"password": False}],
    }

    assert masked(record) == {
        "requestParameters": {"userName": "dora", "password": MASK, "tags": [{"token": 1}]},
        "responseElements": {"credentials": {"accessKeyId": "ASIA1", "sessionToken": MASK, "expiration": "soon"}},
        "list": [{"secretString": {"value": MASK}}, {"password": None}, {"password": False}],
    }
    assert record["requestParameters"]["password"] == "hunter22"


def test_environments_of_functions_are_masked():
    assert masked({"environment": {"variables": {"DB": "pw"}}}) == {"environment": {"variables": {"DB": MASK}}}


def test_signatures_of_presigned_addresses_are_masked():
    assert masked({"url": "https://x/?a=1&X-Amz-Signature=abc&b=2"}) == {
        "url": "https://x/?a=1&X-Amz-Signature=***&b=2"
    }


def test_a_text_that_quotes_a_secret_of_the_record_is_masked():
    mask = Mask({"responseElements": {"credentials": {"sessionToken": "IQoJb3JpZ2lu"}}})

    assert mask("sessionToken was IQoJb3JpZ2lu here") == "sessionToken was *** here"


def test_no_nesting_is_too_deep_to_be_masked():
    value: object = {"password": "hunter22"}
    for _ in range(5000):
        value = [value]

    inner = masked(value)
    while isinstance(inner, list):
        inner = inner[0]

    assert inner == {"password": MASK}


def test_a_secret_that_a_text_cut_short_is_masked_and_a_mere_likeness_is_not():
    mask = Mask({"environment": {"variables": {"ROLE": "arn:aws:iam::111122223333:role/deploy"}}})

    assert mask("ROLE = arn:aws:iam::111122223333:ro...; more") == "ROLE = ***...; more"
    assert mask("ROLE = arn:aws:iam::11112222") == "ROLE = ***"
    assert mask("by arn:aws:iam::444455556666:user/dora") == "by arn:aws:iam::444455556666:user/dora"
    assert (
        mask("twice arn:aws:iam::111122223333:role/deploy, arn:aws:iam::111122223333:role/deploy") == "twice ***, ***"
    )


def test_names_of_any_length_tell_secrets_and_only_short_ones_are_remembered():
    before = secrets._hides_known.cache_info().currsize
    long, short = "x" * 200, "y" * 20

    for start in (long, short):
        record = {f"{start}Password": "correct horse", f"{start}Passwords": "battery staple"}
        assert Mask(record)("correct horse, battery staple") == "***, battery staple"

    assert secrets._hides_known.cache_info().currsize == before + 2
