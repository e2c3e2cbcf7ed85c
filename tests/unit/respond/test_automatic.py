"""A case from its first event to its end, and what people are told on the way."""

import msgspec
import pytest

from trailwatch.config import schema
from trailwatch.config.automatic import AutomaticPlaybook, AutomaticSettings
from trailwatch.config.schema import Config, Responder, RespondSettings, SelfSettings
from trailwatch.errors import ActionError, ConfigError, UsageError
from trailwatch.model.case import CaseState
from trailwatch.model.message import Kind
from trailwatch.model.provenance import Provenance
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Link
from trailwatch.respond.actions.catalog import BY_HAND
from trailwatch.respond.apply import Equipment
from trailwatch.respond.assembly import playbooks_of
from trailwatch.respond.automatic_assembly import enabled_playbooks, own_arns
from trailwatch.respond.cases import Answer, decide
from trailwatch.respond.playbook import PlaybookSet
from trailwatch.respond.undo import undo
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .automatic_parts import EVERYTHING, NOW, PLAYBOOK, Account, alert_of, automatic, by_role, by_user, candidate

AT_ONCE = AutomaticSettings(playbooks={"all": AutomaticPlaybook()})
ASKING = AutomaticSettings(playbooks={"all": AutomaticPlaybook(approval=600)})
ASKING_OR_ACTING = AutomaticSettings(playbooks={"all": AutomaticPlaybook(approval=600, on_silence="act")})
ROLE = by_role("ListBuckets", "deploy")


class Stage:
    """Automatic response with everything around it in reach."""

    def __init__(self, store, settings=AT_ONCE):
        self.store = store
        self.clock = FixedClock()
        self.account = Account(users=["dora"], roles=["deploy", "admin"])
        self.reason = ""
        self.answers = {}
        self.use(settings)

    def use(self, settings):
        self.automatic = automatic(
            self.store,
            self.account,
            settings,
            self.clock,
            frozen=lambda: self.reason,
            answers=lambda case: self.answers.get(case.id),
        )

    def see(self, record=ROLE, severity=Severity.CRITICAL, later=0):
        alert = alert_of(record, severity=severity)
        evidence = tuple(msgspec.structs.replace(one, time=NOW + later) for one in alert.evidence)
        alert = msgspec.structs.replace(alert, evidence=evidence)
        self.automatic.consider(candidate(alert, way=Provenance.EVENT_HISTORY))

    @property
    def told(self):
        return [entry.message for entry in self.store.outbox.entries()]

    @property
    def headlines(self):
        return [message.headline for message in self.told]

    @property
    def case(self):
        (case_id,) = {row["id"] for row in self.store.database.all("SELECT id FROM automatic_case")}
        return self.store.automatic.find(case_id)


@pytest.fixture
def stage():
    with Store(Database(":memory:")) as store:
        yield Stage(store)


def test_what_was_done_is_told_with_the_line_that_takes_it_back(stage):
    stage.see()

    (message,) = stage.told
    assert stage.account.locked == ["role deploy"]
    assert message.headline == "locked out automatically: role deploy in 111122223333"
    assert message.commands == (f"trailwatch respond undo {stage.case.plan.id}",)
    assert (message.kind, message.thread, message.severity) == (Kind.RESPONSE, "incident-1", Severity.CRITICAL)
    assert "It answers alert rule-" in message.body
    assert "- revoke-sessions: lock role deploy in 111122223333" in message.body


def test_that_line_takes_it_back(stage):
    stage.see()
    tools = Equipment(stage.store.responses, stage.account, EVERYTHING, stage.clock)

    undone = undo(stage.told[0].commands[0].split()[-1], tools, "somebody")

    assert (undone.restored, stage.account.locked) == (1, [])


def test_the_same_incident_again_does_nothing_more(stage):
    for _ in range(3):
        stage.see()
        stage.automatic.settle()

    assert len(stage.account.calls) == len(stage.told) == 1


def test_whoever_calls_long_after_the_lock_was_not_locked_and_is_locked_again(stage):
    stage.see()
    stage.account.locked.clear()
    stage.clock.advance(400)
    stage.see(later=60)
    assert len(stage.account.calls) == 1

    stage.see(later=300)
    assert len(stage.account.calls) == 2


def test_whoever_a_person_let_in_again_is_left_alone_for_a_day(stage):
    stage.see()
    undo(stage.case.plan.id, Equipment(stage.store.responses, stage.account, EVERYTHING, stage.clock), "somebody")
    stage.clock.advance(400)

    stage.see(later=300)

    assert stage.account.locked == []


@pytest.mark.parametrize(
    ("playbook", "severity", "locked"),
    [
        (AutomaticPlaybook(), Severity.CRITICAL, True),
        (AutomaticPlaybook(), Severity.HIGH, False),
        (AutomaticPlaybook(min_severity=Severity.HIGH), Severity.HIGH, False),
        (AutomaticPlaybook(min_severity=Severity.HIGH, min_score=20), Severity.HIGH, True),
        (AutomaticPlaybook(min_score=51), Severity.CRITICAL, False),
    ],
)
def test_only_what_is_bad_enough_is_answered(stage, playbook, severity, locked):
    stage.use(AutomaticSettings(playbooks={"all": playbook}))

    stage.see(severity=severity)

    assert bool(stage.account.locked) is locked
    assert bool(stage.told) is locked


def test_without_a_playbook_nothing_happens(stage):
    stage.use(AutomaticSettings())

    stage.see()

    assert (stage.account.calls, stage.told) == ([], [])


def test_a_freeze_is_told_once_and_stops_everything(stage):
    stage.reason = "responses are frozen: by ops: exercise"
    for _ in range(3):
        stage.see()

    assert stage.account.calls == []
    assert stage.headlines == ["not locked out automatically: role deploy in 111122223333"]
    assert "Why: responses are frozen: by ops: exercise" in stage.told[0].body


def test_after_a_freeze_a_new_event_is_answered(stage):
    stage.reason = "frozen"
    stage.see()
    stage.reason = ""

    stage.see()

    assert stage.account.locked == ["role deploy"]


def test_a_freeze_in_the_middle_stops_before_the_next_step_and_says_how_to_undo(stage):
    taking = by_user("ListBuckets", "dora")
    stage.account.reached = lambda _call: setattr(stage, "reason", "responses are frozen")

    stage.see(taking)

    assert stage.account.locked == ["user dora"]
    refused = stage.told[-1]
    assert "responses are frozen" in refused.body


def test_a_protected_principal_is_told_once(stage):
    stage.account.tags["deploy"] = {"trailwatch:protected": ""}
    for _ in range(3):
        stage.see()

    assert stage.account.calls == []
    assert len(stage.told) == 1
    assert "Why: it has the tag 'trailwatch:protected'" in stage.told[0].body


def test_who_cannot_be_looked_up_is_left_alone(stage):
    stage.see(by_role("ListBuckets", "gone"))

    assert stage.account.calls == []
    assert "it cannot be found out whether it is protected" in stage.told[0].body


def test_the_cap_is_told_and_nothing_is_done(stage):
    stage.use(AutomaticSettings(playbooks={"all": AutomaticPlaybook()}, per_hour=1))
    stage.see()
    for _ in range(3):
        stage.see(by_role("ListBuckets", "admin"))

    assert stage.account.locked == ["role deploy"]
    assert len(stage.told) == 2
    assert "Why: the cap is reached: no more than 1 in any hour" in stage.told[-1].body
    assert stage.told[-1].commands == ()


def test_a_step_that_fails_is_told(stage):
    def refuse(call):
        raise ActionError(call.title, "AccessDenied")

    stage.account.reached = refuse
    stage.see()

    assert stage.headlines == ["automatic response did not wholly succeed: role deploy in 111122223333"]
    assert "AccessDenied" in stage.told[0].body


def test_a_hostile_name_stays_inert_in_what_is_told(stage):
    name = "x\x1b[2J\n\u202e"
    stage.account.arns["role", name] = f"arn:aws:iam::111122223333:role/{name}"
    stage.see(by_role("ListBuckets", name))

    message = stage.told[0]
    assert message.headline.isprintable()
    assert all(line.isprintable() for line in message.body.splitlines())


def test_somebody_is_asked_and_approves(stage):
    stage.use(ASKING)
    stage.see()
    (question,) = stage.told
    assert stage.account.calls == []
    assert question.headline == "may this be locked out?: role deploy in 111122223333"
    assert question.plan == stage.case.id
    assert question.commands == (
        f"trailwatch respond approve {stage.case.id}",
        f"trailwatch respond decline {stage.case.id}",
    )
    assert "Answer within 10 min; without an answer nothing is done." in question.body

    stage.answers[stage.case.id] = Answer(approved=True, who="U1 in chat")
    stage.automatic.settle()

    assert stage.account.locked == ["role deploy"]
    assert "Approved by U1 in chat." in stage.told[-1].body


def test_somebody_declines(stage):
    stage.use(ASKING)
    stage.see()
    stage.answers[stage.case.id] = Answer(approved=False, who="U1")
    stage.automatic.settle()
    stage.see()
    stage.automatic.settle()

    assert stage.account.calls == []
    assert stage.headlines[-1] == "not locked out, as somebody decided: role deploy in 111122223333"
    assert len(stage.told) == 2


def test_nobody_answers(stage):
    stage.use(ASKING)
    stage.see()
    stage.clock.advance(599)
    stage.automatic.settle()
    assert stage.case.state is CaseState.WAITING

    stage.clock.advance(1)
    stage.automatic.settle()

    assert (stage.account.calls, stage.case.state) == ([], CaseState.EXPIRED)
    assert stage.headlines[-1] == "not locked out, because nobody answered: role deploy in 111122223333"


def test_nobody_answers_and_it_is_done_anyway_where_that_is_wanted(stage):
    stage.use(ASKING_OR_ACTING)
    stage.see()
    assert "without an answer it is done" in stage.told[0].body
    stage.clock.advance(600)
    stage.automatic.settle()

    assert stage.account.locked == ["role deploy"]


def test_an_approval_does_not_beat_the_guard(stage):
    stage.use(ASKING)
    stage.see()
    stage.account.tags["deploy"] = {"trailwatch:protected": ""}
    stage.answers[stage.case.id] = Answer(approved=True, who="U1")
    stage.automatic.settle()

    assert stage.account.calls == []
    assert stage.case.state is CaseState.REFUSED


def test_the_command_answers_a_case_once(stage):
    stage.use(ASKING)
    stage.see()
    case = decide(stage.store.automatic, stage.case.id, Answer(approved=True, who="ops"), NOW)
    assert case.state is CaseState.APPROVED

    with pytest.raises(UsageError, match="it does not wait, it is approved"):
        decide(stage.store.automatic, case.id, Answer(approved=True, who="ops"), NOW)
    stage.automatic.settle()
    assert stage.account.locked == ["role deploy"]


def test_the_command_refuses_what_it_does_not_know_and_what_is_over(stage):
    stage.use(ASKING)
    stage.see()

    with pytest.raises(UsageError, match="there is no such case"):
        decide(stage.store.automatic, "nothing", Answer(approved=True, who="ops"), NOW)
    with pytest.raises(UsageError, match="it does not wait, it is expired"):
        decide(stage.store.automatic, stage.case.id, Answer(approved=True, who="ops"), NOW + 600)


TAKEN = Link("assumed-name", "key:AKIA1", "arn:aws:sts::111122223333:assumed-role/admin/x", NOW, "e", "111122223333")


def locked_with_links(stage, alert, *links, **more):
    children = {link.parent: [link] for link in links}
    responding = automatic(
        stage.store, stage.account, AT_ONCE, stage.clock, children=lambda node: children.get(node, ()), **more
    )
    responding.consider(candidate(alert, way=Provenance.EVENT_HISTORY))
    return stage.account.locked


def test_sessions_of_a_role_that_was_taken_are_revoked_together_with_who_took_it(stage):
    alert = msgspec.structs.replace(alert_of(by_user("ListBuckets", "dora", key="ASIA1")), identity="key:AKIA1")

    assert locked_with_links(stage, alert, TAKEN) == ["user dora", "role admin"]


def test_a_protected_role_that_was_taken_is_left_alone(stage):
    stage.account.tags["admin"] = {"trailwatch:protected": ""}
    alert = msgspec.structs.replace(alert_of(by_user("ListBuckets", "dora", key="ASIA1")), identity="key:AKIA1")

    assert locked_with_links(stage, alert, TAKEN) == ["user dora"]


def test_what_a_victim_took_is_not_followed_from_an_event_that_anybody_can_provoke(stage):
    forged = by_user("ConsoleLogin", "dora", responseElements={"ConsoleLogin": "Failure"})
    alert = alert_of(forged, by_user("ListBuckets", "dora", key="ASIA1"))
    first, second = alert.evidence
    evidence = (first, msgspec.structs.replace(second, time=NOW + 1))
    alert = msgspec.structs.replace(alert, evidence=evidence, identity="key:AKIA1")

    assert locked_with_links(stage, alert, TAKEN) == ["user dora"]


def test_a_rule_over_time_is_answered_by_the_events_that_the_archive_has(stage):
    alert = alert_of(ROLE)
    empty = msgspec.structs.replace(alert, evidence=(msgspec.structs.replace(alert.evidence[0], record=b""),))

    assert locked_with_links(stage, empty) == []
    assert locked_with_links(stage, empty, find=lambda _one: alert.evidence[0].record) == ["role deploy"]


def over_time(*records, more=0):
    """The alert of a rule over these events, which has no records at hand, and where they are found."""
    alert = alert_of(*records)
    found = {one.event_id: one.record for one in alert.evidence}
    evidence = tuple(msgspec.structs.replace(one, record=b"") for one in alert.evidence)
    alert = msgspec.structs.replace(alert, evidence=evidence, event_count=len(records) + more)
    return alert, lambda one: found[one.event_id]


SIGN_IN = {"responseElements": {"ConsoleLogin": "Success"}}
GUESSED = [
    by_user("ConsoleLogin", "dora", responseElements={"ConsoleLogin": "Failure"}, requestID=str(n)) for n in range(4)
]


@pytest.mark.parametrize(
    ("records", "more", "locked"),
    [
        (
            [by_user("ConsoleLogin", "dora", key="", **SIGN_IN), by_user("CreateUser", "dora", key="")],
            0,
            ["user dora"],
        ),
        ([*GUESSED, by_user("ConsoleLogin", "dora", key="", **SIGN_IN)], 0, []),
        ([by_role("ListBuckets", "admin"), by_role("ListUsers", "deploy")], 0, []),
        ([by_role("ListBuckets", "admin"), by_role("ListUsers", "admin")], 1, []),
    ],
    ids=[
        "one caller did it all",
        "failed sign-ins of somebody before a good one of the victim",
        "somebody began it and a victim completed it",
        "there were more events than are at hand",
    ],
)
def test_a_rule_over_time_counts_when_all_of_it_is_trusted_and_of_one_caller(stage, records, more, locked):
    alert, find = over_time(*records, more=more)

    assert locked_with_links(stage, alert, find=find) == locked


class Died(BaseException):
    """The process ends."""


def test_a_process_that_dies_at_any_call_is_gone_on_with_and_counts_once(stage):
    stage.use(AutomaticSettings(playbooks={"all": AutomaticPlaybook()}, per_hour=1))

    def die(_call):
        raise Died

    stage.account.reached = die
    with pytest.raises(Died):
        stage.see()
    stage.account.reached = lambda _call: None
    stage.automatic.settle()
    assert stage.account.locked == []  # whoever began it may still be at it

    stage.clock.advance(301)
    stage.automatic.settle()

    assert stage.account.locked == ["role deploy"]
    assert stage.case.state is CaseState.DONE


def test_what_was_cut_off_is_not_gone_on_with_when_it_became_protected(stage):
    def die(_call):
        raise Died

    stage.account.reached = die
    with pytest.raises(Died):
        stage.see()
    stage.account.tags["deploy"] = {"trailwatch:protected": ""}
    stage.account.reached = lambda _call: None
    stage.clock.advance(301)
    stage.automatic.settle()

    assert stage.account.locked == []
    assert stage.case.state is CaseState.REFUSED
    assert stage.told[-1].commands == (f"trailwatch respond undo {stage.case.plan.id}",)


def test_who_is_locked_already_costs_no_call(stage):
    stage.account.locked.append("role deploy")
    stage.see()

    assert stage.case.state is CaseState.DONE
    assert stage.account.calls == []


def test_a_case_that_somebody_else_kept_since_it_was_read_is_not_kept(stage):
    stage.use(ASKING)
    stage.see()
    case = stage.case

    assert stage.store.automatic.keep(case, None)
    assert not stage.store.automatic.keep(case, None)


def test_old_cases_are_forgotten_and_open_ones_are_not(stage):
    stage.see()
    stage.use(ASKING)
    stage.see(by_role("ListBuckets", "admin"))

    assert stage.store.automatic.prune(NOW + 10**6) == 1
    assert [case.target.name for case in stage.store.automatic.open()] == ["admin"]


def test_a_playbook_that_is_not_there_is_refused_by_name():
    settings = AutomaticSettings(playbooks={"lock-usr": AutomaticPlaybook()})
    config = Config(respond=RespondSettings(automatic=settings))

    with pytest.raises(ConfigError, match=r"respond\.automatic\.playbooks\.lock-usr: there is no such playbook"):
        enabled_playbooks(config, PlaybookSet({"lock-user": PLAYBOOK}))


def test_every_shipped_playbook_may_run_by_itself_and_takes_nothing_final():
    known = playbooks_of(Config())
    settings = AutomaticSettings(playbooks=dict.fromkeys(known.playbooks, AutomaticPlaybook()))

    enabled = enabled_playbooks(Config(respond=RespondSettings(automatic=settings)), known)

    assert enabled == known.playbooks
    assert not {action for one in enabled.values() for action in one.actions} & set(BY_HAND)


def test_whom_trailwatch_is_comes_from_every_place_that_names_it():
    config = Config(
        account=(schema.Account(name="a", role_arn="arn:reader"), schema.Account(name="b")),
        respond=RespondSettings(account=(Responder(id="1", role_arn="arn:responder"),)),
        self=SelfSettings(role=("arn:host",)),
    )

    assert own_arns(config) == ["arn:reader", "arn:responder", "arn:host"]


class Mortal(Account):
    """The process dies at the n-th call of any kind, before or after it reached AWS."""

    def __init__(self, dies_at, *, after):
        super().__init__(users=["dora"], roles=["deploy", "admin"])
        self.left, self.after = dies_at, after

    def call(self, call):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Died
        answer = super().call(call)
        if self.left == 0:
            raise Died
        return answer


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", range(1, 8))
def test_dead_at_any_call_it_is_gone_on_with_and_told_once(stage, dies_at, after):
    stage.account = Mortal(dies_at, after=after)
    stage.use(AutomaticSettings(playbooks={"all": AutomaticPlaybook()}, per_hour=1))
    try:
        stage.see()
    except Died:
        stage.clock.advance(301)
    stage.see()
    stage.automatic.settle()

    assert stage.account.locked == ["role deploy"]
    assert len(stage.account.calls) == 1
    assert stage.headlines == ["locked out automatically: role deploy in 111122223333"]
    assert len(stage.store.database.all("SELECT * FROM automatic_taken")) == 1
