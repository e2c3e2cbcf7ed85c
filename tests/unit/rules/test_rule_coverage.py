"""What `rules coverage` says of techniques."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from trailwatch.cli.main import main
from trailwatch.rules.attack import TECHNIQUES
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.coverage import DATA, MANAGEMENT, READ_ONLY, coverage, log_type, navigator_layer

RULE = """
title: A secret was read
id: 0b7e0a7c-1f6e-4b0f-8f3f-000000000001
name: read
level: low
tags: [attack.credential-access, attack.t1555.006]
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: GetSecretValue}, condition: selection}
trailwatch:
  alerting: false
  examples:
  - {name: read, matches: true, event: {eventName: GetSecretValue, readOnly: true, managementEvent: true}}
  - {name: another call, matches: false, base: read, change: {eventName: PutSecretValue}}
---
title: Many secrets were read
id: 0b7e0a7c-1f6e-4b0f-8f3f-000000000002
level: high
tags: [attack.credential-access, attack.t1555.006]
correlation: {type: event_count, rules: [read], group-by: [userIdentity.arn], timespan: 5m, condition: {gte: 2}}
trailwatch:
  examples:
  - {name: two, matches: true, events: [{like: read, times: 2}]}
"""


def test_a_technique_counts_its_rules_and_those_that_only_feed_them(tmp_path: Path) -> None:
    (tmp_path / "secrets.yml").write_text(RULE)
    rows = {row.technique: row for row in coverage(load_rules([tmp_path], shipped=False), {"T1555.006": ["a/b"]})}
    row = rows["T1555.006"]
    assert (len(row.alerting), len(row.feeding), row.examples) == (1, 1, 2)
    assert (row.recordings, row.log_types) == (("a/b",), (READ_ONLY,))
    assert rows["T1485"].alerting == ()
    assert set(rows) == set(TECHNIQUES)


def test_the_log_type_is_what_the_record_says_of_itself() -> None:
    assert log_type({"eventCategory": "Data", "readOnly": True}) == DATA
    assert log_type({"managementEvent": False}) == DATA
    assert log_type({"eventCategory": "Management", "readOnly": True}) == READ_ONLY
    assert log_type({"eventCategory": "Management", "readOnly": False}) == MANAGEMENT


def test_the_layer_has_every_technique_with_a_rule_once(tmp_path: Path) -> None:
    (tmp_path / "secrets.yml").write_text(RULE)
    layer = navigator_layer(coverage(load_rules([tmp_path], shipped=False), {}))
    assert [(one["techniqueID"], one["score"]) for one in layer["techniques"]] == [("T1555.006", 1)]


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[rules]\nshipped = false\n")
    (tmp_path / "secrets.yml").write_text(RULE)
    arguments = ["--config", str(config), "rules", "coverage", "--rules", str(tmp_path / "secrets.yml")]
    table = CliRunner().invoke(main, arguments, env={"HOME": str(tmp_path)})
    assert table.exit_code == 0, table.output
    assert any(line.startswith("T1555.006 ") and line.endswith(READ_ONLY) for line in table.output.splitlines())
    rows = json.loads(CliRunner().invoke(main, [*arguments, "--format", "json"], env={"HOME": str(tmp_path)}).stdout)
    assert [row["technique"] for row in rows if row["alerting"]] == ["T1555.006"]
