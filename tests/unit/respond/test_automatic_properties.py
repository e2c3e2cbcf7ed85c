"""Whatever happens in whatever order, automatic response keeps to what it was told."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.config.automatic import AutomaticPlaybook, AutomaticSettings
from trailwatch.model.provenance import Provenance
from trailwatch.model.severity import Severity
from trailwatch.respond.cases import Answer
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import ACCOUNT, FixedClock

from .automatic_parts import Account, alert_of, automatic, by_role, by_user, candidate
from .test_guard import DENIED, FORGED

USERS = ("dora", "ivo", "mallory", "break-glass", "tagged")
ROLES = ("deploy", "admin", "trailwatch-responder", "trailwatch-reader", "tagged")
PROTECTED = {"user break-glass", "user tagged", "role tagged", "role trailwatch-responder", "role trailwatch-reader"}


class Watched(Account):
    """Notes when each call was made, and whether responses were frozen then."""

    def __init__(self, clock):
        tags = {"tagged": {"trailwatch:protected": "yes"}}
        super().__init__(users=(*USERS, "victim"), roles=(*ROLES, "victim"), tags=tags)
        self.clock = clock
        self.frozen = False
        self.made = []

    def call(self, call):
        if call.operation == "Lock":
            self.made.append((self.clock.now().timestamp(), call.parameters["Who"], self.frozen))
        return super().call(call)


users = st.sampled_from(USERS).map(lambda name: by_user("ListBuckets", name, key="ASIATEMPORARY"))
roles = st.tuples(st.sampled_from(ROLES), st.sampled_from(USERS)).map(
    lambda names: by_role("ListBuckets", names[0], session=names[1])
)
denied = st.sampled_from(USERS).map(lambda name: by_user("ListBuckets", name, **DENIED))
records = st.one_of(users, roles, denied, st.sampled_from(list(FORGED.values())))
alerts = st.tuples(st.lists(records, min_size=1, max_size=3), st.sampled_from(Severity))
steps = st.one_of(
    st.tuples(st.just("incident"), st.lists(alerts, min_size=1, max_size=2)),
    st.tuples(st.just("pass"), st.sampled_from([1, 60, 1200, 3599, 3600, 40_000, 86_400])),
    st.tuples(st.just("freeze"), st.booleans()),
    st.tuples(st.just("answer"), st.booleans()),
    st.tuples(st.just("settle"), st.none()),
)
ways = st.sampled_from([(0.0, "refuse"), (600.0, "refuse"), (600.0, "act")])


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, min_size=1, max_size=25), st.integers(0, 3), st.integers(0, 5), ways)
def test_protected_principals_the_own_role_the_caps_and_the_freeze_hold(sequence, per_hour, per_day, way):
    patience, silence = way
    playbook = AutomaticPlaybook(min_severity=Severity.HIGH, min_score=0, approval=patience, on_silence=silence)
    wanted = AutomaticSettings(
        playbooks={"all": playbook},
        protected=("arn:aws:iam::*:user/break-glass",),
        per_hour=per_hour,
        per_day=per_day,
        max_age=1e9,
    )
    clock = FixedClock()
    account = Watched(clock)
    answers: dict[str, Answer] = {}
    with Store(Database(":memory:")) as store:
        responding = automatic(
            store,
            account,
            wanted,
            clock,
            frozen=lambda: "frozen" if account.frozen else "",
            answers=lambda case: answers.get(case.id),
            own=[f"arn:aws:iam::{ACCOUNT}:role/service/trailwatch-reader"],
        )
        proven = set()
        for what, value in sequence:
            if what == "incident":
                several = [alert_of(*found, severity=severity) for found, severity in value]
                responding.consider(candidate(*several, way=Provenance.EVENT_HISTORY))
                proven.update(who for found, _ in value for record in found for who in _who(record))
            elif what == "pass":
                clock.advance(value)
            elif what == "freeze":
                account.frozen = value
            elif what == "answer":
                answers.update({case.id: Answer(value, "someone") for case in store.automatic.open()})
            responding.settle()

    times = [time for time, _, _ in account.made]
    assert not {who for _, who, _ in account.made} & PROTECTED
    assert not any(frozen for _, _, frozen in account.made)
    assert {who for _, who, _ in account.made} <= proven
    for time in times:
        assert sum(time - 3600 < one <= time for one in times) <= per_hour
        assert sum(time - 86_400 < one <= time for one in times) <= per_day


def _who(record):
    """Who is proven by an event, said as plainly as can be."""
    if record in FORGED.values() or "errorCode" in record:
        return []
    identity = record["userIdentity"]
    if identity["type"] == "IAMUser":
        return [f"user {identity['userName']}"]
    return [f"role {identity['sessionContext']['sessionIssuer']['userName']}"]


def test_the_property_is_not_kept_by_doing_nothing():
    clock = FixedClock()
    account = Watched(clock)
    wanted = AutomaticSettings(playbooks={"all": AutomaticPlaybook(min_score=0)}, per_hour=2)
    with Store(Database(":memory:")) as store:
        responding = automatic(store, account, wanted, clock)
        for name in ("dora", "ivo", "mallory"):
            alert = alert_of(by_user("ListBuckets", name, key="ASIATEMPORARY"))
            responding.consider(candidate(alert, way=Provenance.EVENT_HISTORY))

    assert [who for _, who, _ in account.made] == ["user dora", "user ivo"]
