"""Whatever dies, fails or interferes: a response can be gone on with, and undone to what stood there before."""

from contextlib import suppress

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.errors import ActionError
from trailwatch.model.response import APPLY_TIME, Call, Draft, Plan, Step
from trailwatch.respond.apply import Equipment, apply
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.undo import undo
from trailwatch.store.database import Database
from trailwatch.store.responses import Responses
from trailwatch.testing import FixedClock

THINGS = ("a", "b", "c", "d")
states = st.sampled_from([None, "one", "two", f"from {APPLY_TIME}"])
worlds = st.fixed_dictionaries({thing: st.sampled_from([None, "one", "two", "three"]) for thing in THINGS})
plans = st.lists(st.tuples(st.sampled_from(THINGS), states), min_size=1, unique_by=lambda pair: pair[0])


class Death(BaseException):
    """The process is gone."""


class World:
    """Some things with states, behind calls that may fail or be the last ones; `trailwatch.ports.Cloud`."""

    def __init__(self, things):
        self.things = dict(things)
        self.fates = []

    def identity(self, account):
        return f"arn:aws:iam::{account}:user/responder"

    def call(self, call):
        fate = self.fates.pop(0) if self.fates else "arrives"
        if fate == "dies before":
            raise Death
        if fate == "fails":
            raise ActionError(call.title, "no")
        self.things[call.parameters["thing"]] = call.parameters["state"]
        if fate == "dies after":
            raise Death
        return {}


class Cell:
    """One thing."""

    name, reads, writes = "cell", ("world:Get",), ("world:Set",)

    def read(self, step, cloud):
        return cloud.things[step.thing["thing"]]

    def calls(self, step, found, wanted):
        if found == wanted:
            return ()
        return (Call(step.account, "world", "Set", {"thing": step.thing["thing"], "state": wanted}),)


class SetCell(LeverAction):
    """Of plans that are made already: no event leads to it."""

    name, levers = "set", (Cell(),)

    def targets(self, _):
        return ()

    def plan(self, *_):
        return Draft()


def plan_of(wishes):
    steps = [Step("set", "cell", "1", {"thing": thing}, f"set {thing}", wanted=wanted) for thing, wanted in wishes]
    return Plan("p", 0, "a test", (), (), tuple(steps))


class Case:
    """A world, a plan and a journal."""

    def __init__(self, world, wishes):
        self.world, self.before, self.plan = World(world), dict(world), plan_of(wishes)
        self.journal = Responses(Database(":memory:"))
        self.tools = Equipment(self.journal, self.world, {"set": SetCell()}, FixedClock())

    def apply(self, fates=()):
        self.world.fates = list(fates)
        with suppress(Death):
            return apply(self.plan, self.tools, "tester")
        return None

    def undo(self, fates=(), *, force=False):
        self.world.fates = list(fates)
        with suppress(Death):
            return undo("p", self.tools, "tester", force=force)
        return None

    def wanted(self):
        moment = f"{FixedClock().now():%Y-%m-%dT%H:%M:%SZ}"
        wishes = {step.thing["thing"]: step.wanted for step in self.plan.steps}
        told = {thing: state and state.replace(APPLY_TIME, moment) for thing, state in wishes.items()}
        return {**self.before, **told}


fates = st.lists(st.sampled_from(["arrives", "fails", "dies before", "dies after"]), max_size=6)


@settings(deadline=None)
@given(world=worlds, wishes=plans, attempts=st.lists(fates, max_size=4))
def test_after_any_deaths_and_failures_it_comes_to_the_same_end(world, wishes, attempts):
    case = Case(world, wishes)
    for attempt in attempts:
        case.apply(attempt)

    outcome = case.apply()

    assert outcome.failed == ()
    assert case.world.things == case.wanted()
    assert case.apply().calls == 0


@settings(deadline=None)
@given(world=worlds, wishes=plans, attempts=st.lists(fates, max_size=3), back=st.lists(fates, max_size=3))
def test_from_anywhere_on_the_way_it_is_undone_exactly(world, wishes, attempts, back):
    case = Case(world, wishes)
    case.apply(["arrives"])
    for attempt in attempts:
        case.apply(attempt)
    for attempt in back:
        case.undo(attempt)

    undone = case.undo()

    assert (undone.conflicts, undone.failed) == ((), ())
    assert case.world.things == case.before


@settings(deadline=None)
@given(
    world=worlds,
    wishes=plans,
    theirs=st.lists(st.tuples(st.sampled_from(THINGS), fates), min_size=1, max_size=3),
)
def test_what_an_intruder_takes_back_meanwhile_never_counts_as_what_was_there_before(world, wishes, theirs):
    case = Case(world, wishes)
    case.apply()
    for thing, attempt in theirs:
        if thing in {step.thing["thing"] for step in case.plan.steps}:
            case.world.things[thing] = "theirs"
        case.apply(attempt)
    assert case.apply().failed == ()

    case.undo()

    assert case.world.things == case.before


@settings(deadline=None)
@given(world=worlds, wishes=plans, changed=st.dictionaries(st.sampled_from(THINGS), st.just("theirs"), min_size=1))
def test_what_somebody_changed_since_is_never_overwritten_unasked(world, wishes, changed):
    case = Case(world, wishes)
    case.apply()
    touched = {thing for thing, state in case.world.things.items() if state != case.before[thing]}
    case.world.things |= changed
    now = dict(case.world.things)

    undone = case.undo()

    if touched & set(changed):
        assert {one.does for one in undone.conflicts} == {f"set {thing}" for thing in touched & set(changed)}
        assert case.world.things == now
        case.undo(force=True)
    assert {thing: case.world.things[thing] for thing in touched} == {thing: case.before[thing] for thing in touched}
    untouched = set(THINGS) - touched
    assert {thing: case.world.things[thing] for thing in untouched} == {thing: now[thing] for thing in untouched}


@settings(deadline=None)
@given(world=worlds, wishes=plans, attempts=st.lists(fates, max_size=3))
def test_before_anything_changes_the_journal_has_what_stood_there(world, wishes, attempts):
    case = Case(world, wishes)
    for attempt in attempts:
        case.apply(attempt)

    begun = [entry for entry in case.journal.entries("p") if entry.kind.value == "begun"]
    known = {case.plan.steps[entry.step].thing["thing"]: entry.content["before"] for entry in reversed(begun)}
    for thing, state in case.world.things.items():
        if state != case.before[thing]:
            assert known[thing] == case.before[thing]


@settings(deadline=None)
@given(wishes=plans)
def test_a_plan_is_the_same_after_it_was_kept_and_read(wishes):
    plan = plan_of(wishes)

    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
