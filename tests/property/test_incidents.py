"""Which alerts belong together depends on the set of links and alerts alone; oracle: union-find over all of them."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.detect.attribution import Attribution
from trailwatch.detect.incidents import PAUSE_SECONDS, POINTS, score
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Link
from trailwatch.store.database import Database
from trailwatch.store.store import Store

START = 1_760_000_000
RULE = RuleInfo("r-1", "rule", "Something", Severity.HIGH, "x.yml:1", tactics=("impact",))


@st.composite
def stories(draw):
    """Keys that were issued over one another, and alerts of their holders."""
    keys = draw(st.integers(2, 9))
    parents = [draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None for number in range(keys)]
    times = st.integers(0, 4 * PAUSE_SECONDS)
    acts = draw(st.lists(st.tuples(st.integers(0, keys - 1), times), min_size=1, max_size=12))
    return parents, acts


def links_of(parents):
    for number, parent in enumerate(parents):
        if parent is None:
            yield Link("belongs", f"arn:aws:iam::1:user/u{number}", f"key:{number}", 0, "", "1")
        else:
            yield Link("assumed", f"key:{parent}", f"key:{number}", START - 100, f"e{number}", "1")


def alert(number, key, time):
    evidence = Evidence(f"event-{number}", START + time, "X", "x", "1", "us-east-1", "", "", "", "", b"{}")
    return Alert(
        id=f"{number:016x}",
        rule=RULE,
        title="Something",
        principal=f"arn:aws:iam::1:role/r{key}",
        actor="somebody",
        account="1",
        region="us-east-1",
        first_time=START + time,
        last_time=START + time,
        event_count=1,
        evidence=(evidence,),
        identity=f"key:{key}",
    )


def oracle(links, alerts):
    """Sets of alert ids: joined by links, and by no pause that is too long."""
    home = {}

    def find(node):
        home.setdefault(node, node)
        while home[node] != node:
            node = home[node]
        return node

    for link in links:
        home[find(link.child)] = find(link.parent)
    by_actor = {}
    for one in alerts:
        by_actor.setdefault(find(one.identity), []).append(one)
    groups = set()
    for several in by_actor.values():
        pieces = []
        for one in sorted(several, key=lambda found: found.first_time):
            if not pieces or one.first_time - pieces[-1][-1].first_time > PAUSE_SECONDS:
                pieces.append([])
            pieces[-1].append(one)
        groups |= {frozenset(found.id for found in piece) for piece in pieces}
    return groups


def stored(batches):
    """Incidents after these batches of links and alerts, each committed and settled on its own."""
    with Store(Database(":memory:")) as store:
        for now, batch in enumerate(batches, START):
            # a new process for each batch: nothing is remembered outside the store
            attribution = Attribution(store.lineage, store.incidents)
            alerts = [one for one in batch if isinstance(one, Alert)]
            with store.transaction():
                turned = attribution.learn([one for one in batch if isinstance(one, Link)], now)
                store.alerts.merge(alerts, now)
                attribution.settle([one.id for one in alerts], turned, now)
        homes = {}
        for row in store.database.all("SELECT id, incident FROM alerts"):
            homes.setdefault(row["incident"], set()).add(row["id"])
        incidents = {
            row["id"]: (row["created"], row["merged_into"]) for row in store.database.all("SELECT * FROM incidents")
        }
    return homes, incidents


@settings(max_examples=120, deadline=None)
@given(story=stories(), data=st.data())
def test_order_batches_and_lateness_of_links_change_nothing(story, data):
    parents, acts = story
    links = list(links_of(parents))
    alerts = [alert(number, key, time) for number, (key, time) in enumerate(acts)]
    items = data.draw(st.permutations([*links, *alerts]))
    items += data.draw(st.lists(st.sampled_from(items), max_size=5))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=8)))
    batches = [items[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]

    homes, incidents = stored(batches)

    assert {frozenset(ids) for ids in homes.values()} == oracle(links, alerts)
    assert set(homes) == {name for name, (_, merged) in incidents.items() if merged is None}
    for _, merged in incidents.values():
        assert merged is None or merged in homes


def test_of_two_incidents_that_become_one_the_older_survives():
    first, second = alert(1, 0, 10), alert(2, 1, 20)
    late = Link("assumed", "key:0", "key:1", START, "e", "1")
    before, _ = stored([[first], [second]])
    homes, incidents = stored([[first], [second], [late]])

    older = next(name for name, ids in before.items() if first.id in ids)
    assert homes == {older: {first.id, second.id}}
    assert {merged for _, merged in incidents.values()} == {None, older}


def test_an_alert_that_turns_out_to_be_somebody_elses_moves_and_is_not_told_again():
    first, second = alert(1, 0, 10), alert(2, 1, 20)
    with Store(Database(":memory:")) as store:
        attribution = Attribution(store.lineage, store.incidents)
        store.alerts.merge([first, second], START)
        attribution.settle([first.id, second.id], (), START)
        store.alerts.mark_told([first.id, second.id], START)
        turned = attribution.learn([Link("assumed", "key:0", "key:1", START, "e", "1")], START + 1)
        attribution.settle((), turned, START + 1)

        assert {store.alerts.get(one.id).incident for one in (first, second)} == {store.alerts.get(first.id).incident}
        assert store.alerts.untold() == []


@settings(max_examples=100, deadline=None)
@given(
    levels=st.lists(st.sampled_from(list(Severity)), min_size=1, max_size=8),
    others=st.integers(0, 50),
)
def test_a_score_grows_with_every_rule_and_falls_with_every_other_actor(levels, others):
    alerts = [
        Alert(
            str(n),
            RuleInfo(f"r{n}", f"r{n}", "t", level, "x:1", tactics=("impact",)),
            "t",
            *("p", "a", "1", "r", START, START, 1, ()),
        )
        for n, level in enumerate(levels)
    ]
    whole = score(alerts, {})

    assert 0 <= whole <= 100
    assert score(alerts[:-1], {}) <= whole
    assert score(alerts, {one.rule.id: others for one in alerts}) <= whole


def alert_of(number, level, tactic="impact"):
    info = RuleInfo(f"r{number}", f"r{number}", "t", level, "x:1", tactics=(tactic,))
    return Alert(str(number), info, "t", *("p", "a", "1", "r", START, START, 1, ()))


def test_the_page_about_incidents_gives_the_formula_and_these_numbers():
    page = " ".join((Path(__file__).parents[2] / "docs" / "incidents.md").read_text().split())
    several = [alert_of(n, Severity.MEDIUM, tactic) for n, tactic in enumerate(("a", "b", "c"))]

    assert score([alert_of(0, Severity.MEDIUM)], {}) == 9
    assert score([alert_of(0, Severity.HIGH)], {}) == 23
    assert score([alert_of(0, Severity.CRITICAL)], {}) == 50
    assert score([alert_of(9, Severity.HIGH, "d"), *several], {}) == 51
    assert "One medium alert alone is 9, one high 23, one critical 50; a high and three medium ones" in page
    assert "over four tactics are 51." in page
    assert "raw / (raw + 100)" in page
    for level, points in POINTS.items():
        assert f"{level.value} {points}" in page
