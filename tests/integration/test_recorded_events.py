"""The recorded events, where they are at hand: everything is read, and what is not has its reason."""

from collections import Counter
from pathlib import Path

import pytest

from trailwatch.decode.records import to_mapping
from trailwatch.detect.engine import Engine
from trailwatch.model.match import Tally
from trailwatch.rules.rule import RuleSet
from trailwatch.sources.files import deliveries

DATA = Path(__file__).parents[3] / "shared" / "data"
FOLDERS = ("invictus", "suzaku", "traildiscover", "stratus", "opensearch-catalog", "plaso", "custodian", "elastic")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded events are not beside this checkout")


def unwrapped():
    return sorted(
        str(path) for folder in FOLDERS for path in (DATA / folder).rglob("*.gz") if "wrapped" not in path.parts
    )


@pytest.fixture(scope="module")
def found():
    engine = Engine(RuleSet())
    return {delivery.origin: engine.evaluate(delivery) for delivery in deliveries(unwrapped())}


def test_every_recorded_event_is_read(found):
    tally = Tally()
    for one in found.values():
        tally.add(one.tally)

    assert tally.reconciles()
    assert tally.records == 34_162
    assert tally.mended == 0
    assert tally.events + tally.duplicates == 34_161
    assert tally.left_out == {"digest file": 1}


def test_the_only_reject_is_the_file_that_is_no_json_and_says_so(found):
    rejects = [reject for one in found.values() for reject in one.rejects]

    assert [Path(reject.origin).name for reject in rejects] == ["CreateApiKey.json.gz"]
    assert "JSON is malformed" in rejects[0].reason


def test_the_events_that_occur_twice_are_counted_as_duplicates(found):
    tally = found[str(DATA / "suzaku" / "sans504.jsonl.gz")].tally

    assert (tally.records, tally.duplicates, tally.events) == (30_477, 6_496, 23_981)


@pytest.mark.parametrize("folder", ["invictus", "suzaku"])
def test_the_trails_own_files_hold_the_same_records_as_the_lines(folder):
    wrapped = Counter(
        to_mapping(raw)["eventID"]
        for delivery in deliveries([str(DATA / folder / "wrapped")])
        for raw in delivery.records
    )
    lines = Counter(
        to_mapping(raw)["eventID"]
        for name in (["events.jsonl.gz"] if folder == "invictus" else ["sans504.jsonl.gz"])
        for delivery in deliveries([str(DATA / folder / name)])
        for raw in delivery.records
    )

    assert wrapped == lines
