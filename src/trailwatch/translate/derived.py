"""Derived fields that can be said with the record's own fields; the others need trailwatch to compute them."""

from __future__ import annotations

from trailwatch.rules.predicate import And, Const, Field, Not, Op, Predicate, all_of, any_of, none_of

_OTHER_USER = all_of(
    Field("requestParameters.userName", Op.RE, ("(?s).",)),
    Not(
        all_of(
            Field("userIdentity.type", Op.EQ, ("IAMUser",), cased=True),
            Field("userIdentity.userName", Op.FIELDREF, ("requestParameters.userName",)),
        )
    ),
)
_AWS_SERVICE = any_of(
    Field("sourceIPAddress", Op.ENDSWITH, (".amazonaws.com", ".amazonaws.com.cn", ".aws.internal")),
    Field("sourceIPAddress", Op.EQ, ("AWS Internal",), cased=True),
)
_TRUE: dict[str, tuple[Predicate, Predicate]] = {
    "derived.target.is_other_user": (_OTHER_USER, none_of(_OTHER_USER)),
    "derived.ip.is_aws_service": (
        _AWS_SERVICE,
        all_of(Field("sourceIPAddress", Op.EXISTS), none_of(_AWS_SERVICE)),
    ),
}
"""What each field means when it is true, and when it is false; see `trailwatch.rules.derived_names`."""


def spelled_out(predicate: Predicate) -> Predicate:
    """The same predicate with such fields replaced by the tests that they stand for."""
    if isinstance(predicate, Field):
        meaning = _TRUE.get(predicate.path)
        if meaning is None or predicate.op is not Op.EQ or not all(isinstance(v, bool) for v in predicate.values):
            return predicate
        return any_of(*(meaning[0] if value else meaning[1] for value in predicate.values))
    if isinstance(predicate, Const):
        return predicate
    if isinstance(predicate, Not):
        return none_of(spelled_out(predicate.item))
    items = [spelled_out(item) for item in predicate.items]
    return all_of(*items) if isinstance(predicate, And) else any_of(*items)
