"""How fast a scan is, as a share of what any scan must do: decompress the files and find where records end.

    python bench/scan_speed.py [--events 300000] [--rounds 2]

Every figure is the CPU time of a whole process, imports and rule loading included; the contenders take turns, and the
best round of each counts. Corpora: A small files, B files of 2,000 events, H like B with values that hardly repeat.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


def files(corpus: Path) -> list[str]:
    return sorted(str(path) for path in corpus.rglob("*.json.gz"))


def bodies(corpus: Path) -> Iterator[bytes]:
    from zlib_ng import zlib_ng

    for path in files(corpus):
        yield zlib_ng.decompressobj(31).decompress(Path(path).read_bytes())


def scan_only(corpus: Path) -> dict[str, object]:
    import msgspec

    record = msgspec.defstruct("Record", [], gc=False)
    document = msgspec.defstruct("Document", [("Records", list[record])])
    decode = msgspec.json.Decoder(document).decode
    return {"events": sum(len(decode(body).Records) for body in bodies(corpus))}


def decode_everything(corpus: Path) -> dict[str, object]:
    import msgspec

    decode = msgspec.json.Decoder().decode
    return {"events": sum(len(decode(body)["Records"]) for body in bodies(corpus))}


def trailwatch(corpus: Path) -> dict[str, object]:
    from trailwatch.detect.engine import Engine
    from trailwatch.detect.triage import group
    from trailwatch.model.match import Tally
    from trailwatch.rules.catalog import load_rules
    from trailwatch.sources.files import deliveries

    ruleset = load_rules(cache_dir=corpus.parent / "cache")
    engine, tally, matches = Engine(ruleset), Tally(), []
    for delivery in deliveries(files(corpus)):
        found = engine.evaluate(delivery)
        tally.add(found.tally)
        matches += found.matches
    alerts = group(matches)
    seen = {match.event_id for match in matches}
    with (corpus / "truth.csv").open(newline="") as file:
        planted = [row["event_ids"].split() for row in csv.DictReader(file)]
    return {
        "events": tally.records,
        "rules": len(ruleset.rules),
        "matches": len(matches),
        "alerts": len(alerts),
        "planted": len(planted),
        "found": sum(any(event_id in seen for event_id in ids) for ids in planted),
        "reconciles": tally.reconciles(),
    }


CONTENDERS: dict[str, Callable[[Path], dict[str, object]]] = {
    "scan": scan_only,
    "decode": decode_everything,
    "trailwatch": trailwatch,
}


def in_a_process(contender: str, corpus: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--contender", contender, "--corpus", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def report(contender: str, corpus: Path) -> None:
    result = CONTENDERS[contender](corpus)
    result["cpu"] = time.process_time()
    result["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


def make(corpora: Path, events: int) -> dict[str, Path]:
    made = {name: corpora / name for name in "ABH"}
    scale = [sys.executable, str(DATA / "scale.py"), "--events", str(events), "--out"]
    subprocess.run([*scale, str(made["A"])], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*scale, str(made["B"]), "--events-per-file", "2000"], check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, str(DATA / "highcard.py"), str(made["B"]), str(made["H"])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (made["H"] / "truth.csv").write_bytes((made["B"] / "truth.csv").read_bytes())
    return made


def compare(corpora: dict[str, Path], rounds: int) -> None:
    each: dict[str, float] = {}
    for name, corpus in corpora.items():
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for contender in CONTENDERS:
                result = in_a_process(contender, corpus)
                if contender not in best or result["cpu"] < best[contender]["cpu"]:
                    best[contender] = result
        ours = best["trailwatch"]
        each[name] = ours["cpu"] / ours["events"]
        print(
            f"{name}: {ours['cpu'] / best['scan']['cpu']:.2f} times the work of a bare scan"
            f" ({best['scan']['cpu'] / ours['cpu']:.2f} of its speed),"
            f" {best['decode']['cpu'] / ours['cpu']:.2f} times the speed of decoding everything;"
            f" {each[name] * 1e6:.1f} us an event, {ours['rss_mb']:.0f} MB;"
            f" {ours['rules']} rules, {ours['matches']} matches, {ours['alerts']} alerts,"
            f" {ours['found']} of {ours['planted']} planted attacks found"
        )
        if not ours["reconciles"]:
            sys.exit(f"{name}: the counters do not reconcile")
    print(f"H: {each['B'] / each['H']:.2f} of the speed of B when values hardly repeat")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--corpus", type=Path)
    chosen = parser.parse_args()
    if chosen.contender:
        report(chosen.contender, chosen.corpus)
    elif not (DATA / "scale.py").is_file():
        print("skipped: the generator of the corpus is not beside the project (shared/data/scale.py)")
    else:
        with tempfile.TemporaryDirectory(prefix="trailwatch-bench-") as folder:
            compare(make(Path(folder), chosen.events), chosen.rounds)


if __name__ == "__main__":
    main()
