from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trailwatch.errors import ConfigError, RuleError
from trailwatch.rules.predicate import Const, Field, Op
from trailwatch.rules.suppression_files import load_suppressions, parse_suppression
from trailwatch.rules.suppression_text import Draft, parsed, text_of, write_new

GOOD = """\
name: Nightly backup
owner: platform@example.com
reason: It reads every password at 02:00.
expires: 2027-01-31
rules: [secrets_read_in_bulk]
"""


def with_line(line):
    key = line.partition(":")[0]
    kept = [one for one in GOOD.splitlines() if not one.startswith(f"{key}:")]
    return "\n".join([*kept, line]) + "\n"


def test_a_suppression_holds_until_the_end_of_its_last_day():
    one = parse_suppression(GOOD, "a.yml")

    end = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp())
    assert (one.expires, one.last_day, one.holds_at(end - 1), one.holds_at(end)) == (end, "2027-01-31", True, False)
    assert (one.name, one.rules, one.condition, one.origin) == (
        "Nightly backup",
        ("secrets_read_in_bulk",),
        Const(value=True),
        "a.yml:1",
    )


def test_a_selection_says_what_it_says_in_a_rule():
    one = parse_suppression(GOOD + "selection: {eventName|startswith: Get}\n", "a.yml")

    assert one.condition == Field("eventName", Op.STARTSWITH, ("Get",))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (with_line("expires: soon"), "a.yml:5:1", "expected a date such as 2027-01-31, got 'soon'"),
        (with_line("expires: 20"), "a.yml:5:1", "expected a date"),
        (with_line("rules: []"), "a.yml:5:1", "an empty list for rules"),
        (with_line('rules: "*"'), "a.yml:5:1", "it would hide every alert there is"),
        (with_line("owner: "), "a.yml:5:1", "expected a text for owner"),
        (with_line("accounts: [111122223333]"), "a.yml:6:12", "put it in quotes"),
        (with_line("networks: [10.0.0.1/8]"), "a.yml:6:12", "no network"),
        (with_line("networks: 0.0.0.0/0"), "a.yml:6:1", "is every address"),
        (with_line("actor: '**'"), "a.yml:6:1", "it holds for everybody"),
        (with_line("expirez: 2027-01-31"), "a.yml:6:1", 'did you mean "expires"'),
        (with_line("selection: [word]"), "a.yml:6:1", "words without a field hold for too much"),
        (with_line("selection: {eventName|contians: x}"), "a.yml:6:13", 'did you mean "contains"'),
        (with_line("selection: {actor: x}"), "a.yml:6:13", "known only after matching"),
        (with_line("selection: {userAgent|re: '(?=x)'}"), "a.yml:6:13", "RE2 refuses"),
        ("\n".join(GOOD.splitlines()[1:]), "a.yml:1:1", "name is missing"),
        (GOOD + "---\n" + GOOD, "a.yml:1:1", "expected one suppression, got 2"),
        (GOOD + "name: again\n", "a.yml:6:1", "stands twice"),
        ("- a list\n", "a.yml:1:1", "expected a mapping"),
        ("name: [\n", "a.yml:2:1", "no YAML"),
        ("", "a.yml:1:1", "expected one suppression, got 0"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, place, words):
    with pytest.raises(RuleError) as caught:
        parse_suppression(text, "a.yml")

    assert caught.value.origin == place
    assert words in str(caught.value)


def test_a_broken_file_is_a_problem_and_the_others_count(tmp_path):
    (tmp_path / "good.yml").write_text(GOOD)
    (tmp_path / "broken.yml").write_text(with_line("expires: never"))
    (tmp_path / "twice.yml").write_text(GOOD)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".hidden.yml").write_text("no")
    (tmp_path / "notes.txt").write_text("no suppression")

    found = load_suppressions([tmp_path, tmp_path / "absent"])

    assert [one.name for one in found.suppressions] == ["Nightly backup"]
    assert sorted(Path(problem.origin.split(":")[0]).name for problem in found.problems) == [
        "absent",
        "binary.yaml",
        "broken.yml",
        "twice.yml",
    ]
    assert all(problem.error for problem in found.problems)


def test_what_was_read_is_kept_and_a_change_is_seen(tmp_path):
    folder, cache = tmp_path / "s", tmp_path / "cache"
    folder.mkdir()
    (folder / "a.yml").write_text(GOOD + "selection: {eventName: [A, B]}\n")
    first = load_suppressions([folder], cache_dir=cache)

    assert load_suppressions([folder], cache_dir=cache) == first
    kept = next(cache.glob("suppressions-*.json"))
    kept.write_bytes(b"{torn")
    assert load_suppressions([folder], cache_dir=cache) == first
    (folder / "a.yml").write_text(GOOD)
    assert load_suppressions([folder], cache_dir=cache) != first


hostile = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(lambda text: text.strip())


@given(name=hostile, reason=hostile, actor=hostile, value=hostile)
def test_whatever_a_log_holds_is_written_as_itself_alone(name, reason, actor, value):
    actor, value = actor.strip(), value.strip()
    draft = Draft(
        name=name,
        owner="dora",
        reason=reason,
        expires="2027-01-31",
        rules=("a_rule",),
        actor=(actor,),
        selection=({"userAgent": value, "eventName": [value, "Other"]},),
    )

    one = parsed(draft)

    assert yaml.safe_load(text_of(draft))["name"] == name[:200]
    from trailwatch.detect.leaf import value_test

    is_actor = value_test(Field("", Op.LIKE, one.actor))
    assert is_actor(actor)
    assert not is_actor(actor + "x")
    assert text_of(draft).isascii()


def test_a_new_file_never_touches_one_that_is_there(tmp_path):
    folder = tmp_path / "suppressions.d"

    paths = [write_new(folder, f"{n}\n", "../Rule of\x1b[31m: *") for n in range(3)]

    assert [path.name for path in paths] == ["rule-of-31m.yml", "rule-of-31m-2.yml", "rule-of-31m-3.yml"]
    assert [path.read_text() for path in paths] == ["0\n", "1\n", "2\n"]
    assert {path.parent for path in paths} == {folder}


def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="file/below: cannot be written"):
        write_new(tmp_path / "file" / "below", "x", "y")
