import gzip
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.decode.containers import split
from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.model.match import Tally
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.sources.files import delivery_of
from trailwatch.testing import event

RULE = Rule(
    RuleInfo(id="user-created", slug="user_created", title="A user", severity=Severity.HIGH, origin="here:1"),
    Field("eventName", Op.EQ, ("CreateUser",)),
)
ENGINE = Engine(RuleSet(rules=(RULE,)))
RECORDS = st.lists(
    st.builds(
        lambda name, number, hour: event(name, eventID=f"e{number}", eventTime=f"2026-03-02T{hour:02d}:30:00Z"),
        st.sampled_from(["CreateUser", "ListUsers"]),
        st.integers(0, 9),
        st.integers(0, 23),
    )
    | st.sampled_from(
        [{"no": "name"}, {"eventName": "X", "eventTime": "never"}, {"eventCategory": "Insight"}, 7, "x"]
    ),
    max_size=15,
    unique_by=lambda record: (
        record.get("eventID") if isinstance(record, dict) and "eventID" in record else id(record)
    ),
)
FORMS = {
    "file": lambda records: json.dumps({"Records": records}).encode(),
    "lines": lambda records: "\n".join(map(json.dumps, records)).encode(),
    "gzip": lambda records: gzip.compress(json.dumps(records, indent=1).encode()),
}


def judged(deliveries):
    matches, total = [], Tally()
    for number, (form, records) in enumerate(deliveries):
        found = ENGINE.evaluate(delivery_of(split(FORMS[form](records), f"file-{number}"), f"file-{number}"))
        assert found.tally.reconciles()
        matches += found.matches
        total.add(found.tally)
    return {(alert.id, alert.event_count) for alert in group(matches)}, total


@given(RECORDS, st.randoms(use_true_random=False), st.data())
@settings(max_examples=60, deadline=None)
def test_order_form_splitting_and_redelivery_never_change_the_alerts(records, chance, data):
    expected, _ = judged([("file", records)])
    shuffled = chance.sample(records, len(records))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    deliveries = [(data.draw(st.sampled_from(sorted(FORMS))), part) for part in [*parts, records]]

    found, _ = judged(deliveries)

    assert found == expected


@given(RECORDS, st.sampled_from(sorted(FORMS)))
@settings(max_examples=60, deadline=None)
def test_every_record_is_counted_exactly_once(records, form):
    _, tally = judged([(form, records)])

    assert tally.records == len(records)
