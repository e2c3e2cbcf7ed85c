"""Whatever stands in a folder of rules, the good ones load and the others are told with their place."""

import functools

import pytest

from trailwatch.errors import RuleError
from trailwatch.rules.catalog import load_rules

GOOD = """title: Good
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a0002
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: DeleteTrail
  condition: selection
"""
RULE = """title: T
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    %s
  condition: selection
"""
SOURCE = "logsource: {product: aws, service: cloudtrail}\n"


def conditioned(condition):
    return RULE.replace(": selection\n", f": {condition}\n") % "a: b"


def extended(text):
    return RULE % "a: b" + "trailwatch:" + text


BROKEN = {
    "a misspelt modifier": (
        RULE % "eventName|contians: x",
        "5:5",
        'unknown modifier "contians" on field "eventName"; did you mean "contains"?',
    ),
    "a look-ahead": (RULE % "userAgent|re: 'a(?=b)'", "5:5", "RE2 refuses 'a(?=b)'"),
    "a look-behind in a list": (RULE % "userAgent|re:\n      - a\n      - '(?<!b)c'", "7:9", "RE2 refuses '(?<!b)c'"),
    "a back-reference": (RULE % r"userAgent|re: '(a)\1'", "5:5", "RE2 refuses"),
    "a mapping as a value": (RULE % "userIdentity: {type: Root}", "5:5", "write the path with dots"),
    "a key twice": (RULE % "eventName: a\n    eventName: b", "6:5", 'key "eventName" stands twice'),
    "no such network": (RULE % "sourceIPAddress|cidr: 10.0.0.0/33", "5:5", "no network"),
    "a network with host bits": (RULE % "sourceIPAddress|cidr: 10.0.0.1/8", "5:5", "host bits set"),
    "the actor in a condition": (RULE % "actor: x", "5:5", "derived.principal"),
    "no such derived field": (RULE % "derived.moon: full", "5:5", 'no derived field "derived.moon"'),
    "no such selection": (conditioned("selektion"), "6:3", "selektion"),
    "a selector for nothing": (conditioned("1 of x_*"), "6:3", "x_*"),
    "a condition that is cut off": (conditioned("selection and"), "6:3", ""),
    "a pipe in the condition": (conditioned("selection | count() > 5"), "6:3", "orrelation"),
    "a level that is none": ("level: urgent\n" + RULE % "a: b", "1:1", "urgent"),
    "an id that is no uuid": ("id: x-1\n" + RULE % "a: b", "1:1", "UUID"),
    "an unknown key of ours": (extended(" {profils: [core]}\n"), "7:14", 'did you mean "profiles"?'),
    "a profile list that is none": (extended(" {profiles: 3}\n"), "7:14", "list of texts"),
    "a span that is none": (extended("\n  dedup: {period: soon}\n"), "8:11", "time span"),
    "an example without a verdict": (extended("\n  examples:\n  - {name: n, event: {}}\n"), "9:5", "matches"),
    "an example on nothing": (extended("\n  examples:\n  - {matches: true, base: n}\n"), "9:5", '"n"'),
    "no YAML": ("title: [", "2:1", "no YAML"),
    "a tab": ("title: x\n\tlevel: high\n", "2:1", "no YAML"),
    "no title": (RULE.replace("title: T\n", "") % "a: b", "", "title"),
    "an empty selection": (RULE % "{}", "4:3", "empty"),
    "a number for a text": (RULE % "userAgent|contains: 5", "5:5", 'modifier "contains" does not take 5; put it in'),
    "null in a list": (RULE % "userAgent|startswith:\n      - a\n      - null", "7:9", "does not take null"),
    "a text for a number": (RULE % "a|gte: '5'", "5:5", 'modifier "gte" does not take \'5\'; write the number'),
    "a text for a boolean": (RULE % "a|exists: 'yes'", "5:5", "write true or false, without quotes"),
    "re after contains": (RULE % "a|contains|re: x", "5:5", 'field "a": '),
    "a list in a list": (RULE % "a: [b, [c]]", "5:12", 'field "a": '),
    "a network as a keyword": (RULE % "'|cidr': 10.0.0.0/8", "5:5", "give it a field"),
    "a time as a keyword": (RULE % "'|hour': 9", "5:5", "give it a field"),
    "null as a keyword": (RULE.replace("selection:\n    %s", "selection: [x, null]"), "4:18", "give it a field"),
    "a look-ahead around a placeholder": (RULE % "a|re|expand: '(?=%p%)'", "5:5", "RE2 refuses"),
    "a tag that is none": (RULE % "a: b" + "tags: [x]\n", "7:1", "tag"),
    "an id that is a number": ("id: 5\n" + RULE % "a: b", "1:1", "expected id to be a text, got 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_told_with_its_place_and_the_good_one_beside_it_runs(tmp_path, name):
    text, place, words = BROKEN[name]
    (tmp_path / "broken.yml").write_text(text)
    (tmp_path / "good.yml").write_text(GOOD)
    ruleset = load_rules([tmp_path], shipped=False)
    assert [rule.info.slug for rule in ruleset.rules] == ["good"]
    (problem,) = [problem for problem in ruleset.problems if problem.error]
    assert problem.origin.startswith(f"{tmp_path}/broken.yml:{place}")
    assert words in problem.text


SKIPPED = {
    "for another log source": GOOD.replace("service: cloudtrail", "service: guardduty"),
    "deprecated or unsupported": "status: deprecated\n" + GOOD,
    "YAML that is no Sigma rule": "services:\n  web: {image: x}\n",
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_what_is_no_rule_for_cloudtrail_is_counted_by_reason(tmp_path, reason):
    (tmp_path / "one.yml").write_text(SKIPPED[reason])
    (tmp_path / "two.yaml").write_text(SKIPPED[reason])
    ruleset = load_rules([tmp_path], shipped=False)
    assert (ruleset.rules, ruleset.problems, ruleset.skipped) == ((), (), {reason: 2})


HOSTILE = {
    "binary": b"\x00\xff\xfe\x80title",
    "deep": b"a: " + b"[" * 100_000,
    "deeper by indentation": b"".join(b" " * n + b"a:\n" for n in range(3000)),
    "an alias bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
    "an alias of itself": b"title: &a [*a]\ndetection: *a\nlogsource: {product: aws, service: cloudtrail}\n",
    "a python object": b"!!python/object/apply:os.system ['true']\n",
    "a list": b"- 1\n- 2\n",
    "a scalar": b"just text\n",
    "empty": b"",
    "comments": b"# nothing\n---\n---\n",
    "numbers as keys": b"1: 2\ndetection: {1: {2: 3}, condition: 1}\ntitle: x\n" + SOURCE.encode(),
    "lists as keys": b"? [a]\n: b\n",
    "values of wrong kinds": b"title: [x]\ntags: 5\nlevel: {a: b}\ndetection: 7\n" + SOURCE.encode(),
    "a correlation of wrong kinds": b"title: x\ncorrelation: 5\n",
    "a filter of wrong kinds": b"title: x\nfilter: 5\nlogsource: {product: aws, service: cloudtrail}\n",
    "a value that is a date": GOOD.replace("DeleteTrail", "2026-01-01").replace("0002", "0003").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_stops_a_folder_from_loading(tmp_path, name):
    (tmp_path / "a_hostile.yml").write_bytes(HOSTILE[name])
    (tmp_path / "good.yml").write_text(GOOD)
    ruleset = load_rules([tmp_path], shipped=False)
    assert "good" in [rule.info.slug for rule in ruleset.rules]


def test_an_unknown_key_that_is_nearly_a_sigma_key_is_a_warning(tmp_path):
    (tmp_path / "r.yml").write_text(GOOD + "falsepostives: [x]\n")
    ruleset = load_rules([tmp_path], shipped=False)
    assert len(ruleset.rules) == 1
    assert [(p.error, p.text) for p in ruleset.problems] == [
        (False, 'unknown key "falsepostives"; did you mean "falsepositives"?')
    ]


def test_an_account_id_that_yaml_reads_as_octal_is_a_warning(tmp_path):
    (tmp_path / "r.yml").write_text(GOOD.replace("eventName: DeleteTrail", "recipientAccountId: 011122223333"))
    (problem,) = load_rules([tmp_path], shipped=False).problems
    assert (problem.error, problem.origin) == (False, f"{tmp_path}/r.yml:6:25")
    assert problem.text == "YAML reads 011122223333 as the number 1229530843; write that, or put it in quotes"


MISREAD = {
    "a country": ("derived.country: NO", "YAML reads NO as false"),
    "a switch": ("a: [x, 'no', on]", "YAML reads on as true"),
    "a time of day": ("a: 22:22", "YAML reads 22:22 as the number 1342"),
    "hexadecimal": ("a: 0x10", "YAML reads 0x10 as the number 16"),
    "an underscore": ("a: 1_000", "YAML reads 1_000 as the number 1000"),
    "an empty list": ("a: []", "an empty list is read as null"),
    "case before another text is made": ("a|cased|windash: -x", "cased has no effect before windash"),
}


@pytest.mark.parametrize("name", MISREAD)
def test_what_is_read_in_another_way_than_it_looks_is_a_warning(tmp_path, name):
    item, words = MISREAD[name]
    (tmp_path / "r.yml").write_text(RULE % item)
    ruleset = load_rules([tmp_path], shipped=False)
    (problem,) = ruleset.problems
    assert (problem.error, len(ruleset.rules)) == (False, 1)
    assert words in problem.text
    assert problem.origin.startswith(f"{tmp_path}/r.yml:5:")


@pytest.mark.parametrize("item", ["a: [1, -7, 0, 0.5, 1.50, true, False, '012', 'no', 2012-10-17]", "no: 'x'"])
def test_what_is_read_as_it_looks_is_no_warning(tmp_path, item):
    (tmp_path / "r.yml").write_text(RULE % item.replace("no:", "'no':"))
    assert load_rules([tmp_path], shipped=False).problems == ()


def test_one_id_belongs_to_one_rule_and_one_slug_too(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.yml").write_text(GOOD)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "same.yml").write_text(GOOD.replace("0002", "0009"))
    ruleset = load_rules([tmp_path], shipped=False)
    assert [rule.info.slug for rule in ruleset.rules] == ["same", "same-2"]
    assert [problem.origin for problem in ruleset.problems] == [f"{tmp_path}/b/same.yml:1"]
    assert ruleset.skipped == {"same rule id twice": 1}


def test_rules_without_an_id_are_all_loaded_whatever_their_files_are_called(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.yml").write_text(RULE % "a: b")
    ruleset = load_rules([tmp_path], shipped=False)
    assert [(rule.info.id, rule.info.slug) for rule in ruleset.rules] == [("same", "same"), ("same-2", "same-2")]
    (problem,) = ruleset.problems
    assert (problem.error, problem.origin) == (False, f"{tmp_path}/b/same.yml:1")


def test_a_file_of_shared_parts_alone_is_counted(tmp_path):
    (tmp_path / "r.yml").write_text("action: global\n" + RULE % "a: b")
    assert load_rules([tmp_path], shipped=False).skipped == {"YAML that is no Sigma rule": 1}


def test_rules_are_chosen_by_profile_name_and_switch(tmp_path):
    load = functools.partial(load_rules, cache_dir=tmp_path)
    everything = load()
    core = load(profile="core")
    assert 0 < len(core.rules) < len(everything.rules)
    first = everything.rules[0].info
    assert [rule.info.id for rule in load(only=[first.slug]).rules] == [first.id]
    assert first.id not in {rule.info.id for rule in load(disabled=[first.slug]).rules}
    assert "no rule 'nonesuch'" in load(disabled=["nonesuch"]).problems[-1].text
    with pytest.raises(RuleError, match="there is no rule 'nonesuch'"):
        load(only=["nonesuch"])
    with pytest.raises(RuleError, match="expected core or standard"):
        load(profile="all")
    with pytest.raises(RuleError, match="no such file or folder"):
        load([tmp_path / "nowhere"])


def test_a_cached_start_imports_neither_pysigma_nor_yaml(tmp_path):
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from trailwatch.rules.catalog import load_rules\n"
        f"ruleset = load_rules(only=['trail_deleted'], cache_dir=Path({str(tmp_path)!r}))\n"
        "print(len(ruleset.rules), [name for name in ('sigma', 'yaml') if name in sys.modules])\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs == ["1 ['sigma', 'yaml']\n", "1 []\n"]
