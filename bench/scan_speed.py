"""How fast `trailwatch scan` is, as a share of what any scan must do: decompress files and find where records end.

    python bench/scan_speed.py [--events 300000] [--rounds 3] [--only A,B] [--long]

Contenders are whole processes, imports and rule loading included, on one core; what counts is their CPU time, user
and system. They take turns, each round gives a ratio, and the median of the rounds is printed beside the goal.

Corpora: A ordinary files, B files of 2,000 events, H like B with values that hardly repeat, X like B where every
event has an event name, error code, user agent and ARN of its own. They are made once, below .bench/. `--long` adds
a corpus of ten times as many events, for the memory it takes. `--over-time` measures alone what the rules over time
cost: the same scan with and without them, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PLACE = ROOT / ".bench" / "scan"
MEMORY_MB = 100


class Run(NamedTuple):
    """What one process cost."""

    cpu: float
    """Seconds, user and system, of the process and those it waited for."""
    wall: float
    rss_mb: float


class Goal(NamedTuple):
    what: str
    got: float
    least: float
    """The least that is good enough; negative for the most."""

    def __str__(self) -> str:
        met = self.got >= self.least if self.least >= 0 else self.got <= -self.least
        bound = f"at least {self.least:g}" if self.least >= 0 else f"at most {-self.least:g}"
        return f"  {self.what:<58} {self.got:8.2f}   {bound:<14} {'met' if met else 'NOT MET'}"


# ---------------------------------------------------------------- contenders that are no product


def files(corpus: Path) -> list[str]:
    return sorted(str(path) for path in corpus.rglob("*.json.gz"))


def bodies(paths: list[str]) -> Iterator[bytes]:
    from zlib_ng import zlib_ng

    for path in paths:
        yield zlib_ng.decompressobj(31).decompress(Path(path).read_bytes())


def bare_scan(paths: list[str]) -> int:
    import msgspec

    record = msgspec.defstruct("Record", [], gc=False)
    decode = msgspec.json.Decoder(msgspec.defstruct("Document", [("Records", list[record])])).decode
    return sum(len(decode(body).Records) for body in bodies(paths))


def decode_everything(paths: list[str]) -> int:
    import orjson

    return sum(len(orjson.loads(body)["Records"]) for body in bodies(paths))


def load_cached(folder: Path) -> float:
    """Milliseconds to load the shipped rules and those in the folder from the cache."""
    from trailwatch.rules.catalog import load_rules

    started = time.process_time()
    load_rules([folder], cache_dir=PLACE / "cache" / "rules")
    return (time.process_time() - started) * 1000


# ---------------------------------------------------------------- processes


def run(command: list[str], stdout: int = subprocess.DEVNULL) -> Run:
    environment = {
        "HOME": str(PLACE),
        "XDG_CACHE_HOME": str(PLACE / "cache"),
        "PATH": os.environ["PATH"],
        "TZ": "UTC",
    }
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)
    errors = process.stderr.read().decode() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[:4])} ... ended with {process.returncode}: {errors}")
    return Run(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024)


def contender(name: str, corpus: Path, part: str = "0/1") -> list[str]:
    return [sys.executable, __file__, "--contender", name, "--corpus", str(corpus), "--part", part]


def single_only() -> None:
    """Writes a configuration without the rules over time: the goals are about those over single events."""
    from trailwatch.rules.catalog import load_rules

    rules = load_rules(cache_dir=PLACE / "cache" / "trailwatch" / "rules")
    over_time = [rule.info.id for rule in (*rules.correlations, *rules.first_seen)]
    (PLACE / "single.toml").write_text(f"[rules]\ndisabled = {json.dumps(over_time)}\n", encoding="utf-8")
    alerting = sum(rule.info.alerting for rule in rules.rules)
    print(f"{len(rules.rules)} rules over single events, {alerting} of them alert; {len(over_time)} rules over time")


def scan_command(corpus: Path, workers: int = 1, *, over_time: bool = False, place: str = "AWSLogs") -> list[str]:
    output, stats = PLACE / f"{corpus.name}.jsonl", PLACE / f"{corpus.name}.json"
    return [
        str(Path(sys.executable).with_name("trailwatch")),
        *(() if over_time else ("--config", str(PLACE / "single.toml"))),
        *("scan", str(corpus / place), "--workers", str(workers)),
        *("--format", "jsonl", "--output", str(output), "--stats-json", str(stats)),
    ]


def side_by_side(corpus: Path) -> float:
    """Seconds until two bare scans of half the files each are done."""
    started = time.perf_counter()
    both = [subprocess.Popen(contender("scan", corpus, part), stdout=subprocess.DEVNULL) for part in ("0/2", "1/2")]
    for process in both:
        process.wait()
    return time.perf_counter() - started


# ---------------------------------------------------------------- corpora


def corpus_of(name: str, events: int) -> Path:
    """The corpus, made if it is not there."""
    folder = PLACE / name
    stamp = folder / "made"
    if stamp.is_file() and stamp.read_text(encoding="ascii") == str(events):
        return folder
    scale = [sys.executable, str(DATA / "scale.py"), "--events", str(events), "--out", str(folder)]
    if name in {"A", "long"}:
        subprocess.run(scale, check=True, stdout=subprocess.DEVNULL)
    elif name == "B":
        subprocess.run([*scale, "--events-per-file", "2000"], check=True, stdout=subprocess.DEVNULL)
    elif name == "H":
        source = corpus_of("B", events)
        subprocess.run([sys.executable, str(DATA / "highcard.py"), str(source), str(folder)], check=True)
    else:
        source = corpus_of("B", events)
        subprocess.run([*contender("hostile", source), "--out", str(folder)], check=True)
    stamp.write_text(str(events), encoding="ascii")
    return folder


def hostile(source: Path, folder: Path) -> None:
    """A copy in which every event has an event name, error code, user agent and ARN that no other has."""
    chance = random.Random(7)
    for path in files(source):
        records = json.loads(gzip.decompress(Path(path).read_bytes()))["Records"]
        for record in records:
            record["eventName"] = f"{record['eventName']}{chance.getrandbits(40):x}"
            record["errorCode"] = f"{record.get('errorCode') or 'Client'}.{chance.getrandbits(40):x}"
            record["userAgent"] = f"{record.get('userAgent')} {chance.getrandbits(40):x}"
            identity = record.get("userIdentity")
            if isinstance(identity, dict):
                identity["arn"] = f"{identity.get('arn')}-{chance.getrandbits(40):x}"
        target = folder / Path(path).relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False)
        target.write_bytes(gzip.compress(text.encode(), 6, mtime=0))


def more_rules(count: int) -> Path:
    """A folder of rules that fills the shipped ones up to a number."""
    folder = PLACE / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    shipped = sorted((ROOT / "src" / "trailwatch" / "rulepack").rglob("*.yml"))
    wanted = max(0, count - len(shipped))
    single = [path for path in shipped if "\ncorrelation:" not in path.read_text(encoding="utf-8")][:wanted]
    for number, path in enumerate(single):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        changed = (
            f"id: 00000000-0000-4000-8000-{number:012d}\n" if line.startswith("id:") else line for line in lines
        )
        text = "".join(line for line in changed if not line.startswith("name:"))
        (folder / f"copy_{number}.yml").write_text(text, encoding="utf-8")
    return folder


# ---------------------------------------------------------------- what is told


def against_truth(corpus: Path) -> str:
    """What was found of the planted attacks."""
    alerts = [json.loads(line) for line in (PLACE / f"{corpus.name}.jsonl").read_text(encoding="utf-8").splitlines()]
    seen = {event_id for alert in alerts for event_id in alert["event_ids"]}
    with (corpus / "truth.csv").open(newline="", encoding="utf-8") as file:
        planted = [set(row["event_ids"].split()) for row in csv.DictReader(file)]
    of_attacks = set().union(*planted)
    beside = sum(not of_attacks.intersection(alert["event_ids"]) for alert in alerts)
    found = sum(bool(ids & seen) for ids in planted)
    return f"{len(alerts)} alerts; {found} of {len(planted)} planted attacks found; {beside} alerts of other events"


def measure(name: str, corpus: Path, rounds: int) -> tuple[list[Goal], float]:
    """The goals of one corpus, and the CPU seconds an event takes."""
    ours, bare, everything = [], [], []
    for _ in range(rounds):
        bare.append(run(contender("scan", corpus)))
        ours.append(run(scan_command(corpus)))
        if name in {"A", "B"}:
            everything.append(run(contender("decode", corpus)))
    stats: dict[str, Any] = json.loads((PLACE / f"{name}.json").read_text(encoding="utf-8"))
    if stats["records"] != stats["events"] + stats["duplicates"] + stats["rejects"]:
        sys.exit(f"{name}: the counters do not reconcile: {stats}")
    events = stats["records"]
    each = statistics.median(one.cpu for one in ours) / events
    bare_each = statistics.median(one.cpu for one in bare) / events
    ours_each = f"{each * 1e6:.1f} us of CPU an event{'' if stats['compiled'] else ', not compiled'}"
    print(f"{name}: {events:,} events, {ours_each}, a bare scan {bare_each * 1e6:.1f} us")
    if (corpus / "truth.csv").is_file():
        print(f"   {against_truth(corpus)}")
    goals = [Goal(f"{name}: megabytes", max(one.rss_mb for one in ours), -MEMORY_MB)]
    if everything:
        goals += over_time(name, corpus, rounds)
        share = statistics.median(a.cpu / b.cpu for a, b in zip(bare, ours, strict=True))
        times = statistics.median(a.cpu / b.cpu for a, b in zip(everything, ours, strict=True))
        goals.append(Goal(f"{name}: share of the speed of a bare scan", share, 0.30))
        goals.append(Goal(f"{name}: times the speed of orjson.loads alone", times, 1.0 if name == "A" else 1.7))
    return goals, each


def over_time(name: str, corpus: Path, rounds: int) -> list[Goal]:
    """What the rules over time cost: the same scan with and without them, in turns."""
    with_them, without = [], []
    for _ in range(rounds):
        without.append(run(scan_command(corpus)))
        with_them.append(run(scan_command(corpus, over_time=True)))
    share = statistics.median(a.cpu / b.cpu for a, b in zip(without, with_them, strict=True))
    return [
        Goal(f"{name}: with rules over time, share of the speed without", share, 0.7),
        Goal(f"{name}: with rules over time, megabytes", max(one.rss_mb for one in with_them), -MEMORY_MB),
    ]


def two_workers(corpus: Path, rounds: int) -> Goal:
    shares = []
    for _ in range(rounds):
        bare = run(contender("scan", corpus)).wall / side_by_side(corpus)
        ours = run(scan_command(corpus)).wall / run(scan_command(corpus, 2)).wall
        shares.append(ours / bare)
    return Goal("two workers: share of what two bare scans gain (wall)", statistics.median(shares), 0.85)


def rules_from_cache(rounds: int) -> Goal:
    folder = more_rules(600)
    command = contender("rules", folder)
    took = []
    for _ in range(rounds + 1):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        took.append(float(done.stdout))
    return Goal("600 rules from the cache: milliseconds", statistics.median(took[1:]), -100)


def where_it_goes(corpus: Path) -> None:
    """What limits it now: the CPU time of a scan by its parts, and what every scan has to spend in any case.

    Start and end are what a scan of one small file takes. Inflating and the ends of records are what a bare scan
    takes. The stages are the command's own profile, whose clocks cost a little themselves; freeing memory and
    listing files are in none of them.
    """
    smallest = min(files(corpus), key=lambda path: Path(path).stat().st_size)
    around = statistics.median(
        run(scan_command(corpus, place=os.path.relpath(smallest, corpus))).cpu for _ in range(3)
    )
    bare, whole = run(contender("scan", corpus)).cpu, run(scan_command(corpus)).cpu
    done = subprocess.run(
        [*scan_command(corpus), "--profile-rules"],
        check=True,
        capture_output=True,
        text=True,
        env={"HOME": str(PLACE), "XDG_CACHE_HOME": str(PLACE / "cache"), "PATH": os.environ["PATH"], "TZ": "UTC"},
    )
    lines = done.stderr.splitlines()
    print("what limits it now (corpus B, one process):")
    print(f"  {whole:.2f} s of CPU: {around:.2f} s start and end; a bare scan alone takes {bare:.2f} s of the rest")
    print(f"  the largest stage: {lines[1].strip()}")
    print("\n".join(f"  {line}" for line in lines[:24]))


def compare(events: int, rounds: int, only: list[str], *, long: bool) -> None:
    corpora = {name: corpus_of(name, events) for name in only}
    # by processes of their own: a large parent counts as the memory of what it starts
    subprocess.run(contender("settings", PLACE), check=True)
    for more in (False, True):  # fills the caches of compiled rules
        run(scan_command(next(iter(corpora.values())), over_time=more))
    goals, each = [], {}
    for name, corpus in corpora.items():
        found, each[name] = measure(name, corpus, rounds)
        goals += found
    with contextlib.suppress(KeyError):
        goals.append(Goal("H: share of the speed on B", each["B"] / each["H"], 0.6))
    with contextlib.suppress(KeyError):
        goals.append(Goal("X: times the cost on B", each["X"] / each["B"], -3.0))
    if "A" in corpora:
        goals.append(two_workers(corpora["A"], rounds))
    goals.append(rules_from_cache(rounds))
    if long and "A" in corpora:
        little = run(scan_command(corpora["A"])).rss_mb
        much = run(scan_command(corpus_of("long", events * 10))).rss_mb
        goals.append(Goal("ten times the events: times the memory", much / little, -1.15))
    print("\n".join(str(goal) for goal in goals))
    if "B" in corpora:
        where_it_goes(corpora["B"])


def compare_over_time(events: int, rounds: int, only: list[str]) -> None:
    corpora = {name: corpus_of(name, events) for name in only if name in {"A", "B"}}
    subprocess.run(contender("settings", PLACE), check=True)
    for corpus in corpora.values():  # fills the caches of compiled rules
        run(scan_command(corpus))
        run(scan_command(corpus, over_time=True))
    print("\n".join(str(goal) for name, corpus in corpora.items() for goal in over_time(name, corpus, rounds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="A,B,H,X")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--over-time", action="store_true", help="only what the rules over time cost, on A and B")
    parser.add_argument("--contender", choices=("scan", "decode", "rules", "settings", "hostile"))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", default="0/1")
    chosen = parser.parse_args()
    if chosen.contender == "settings":
        single_only()
    elif chosen.contender == "hostile":
        hostile(chosen.corpus, chosen.out)
    elif chosen.contender == "rules":
        print(load_cached(chosen.corpus))
    elif chosen.contender:
        part, parts = map(int, chosen.part.split("/"))
        paths = files(chosen.corpus)[part::parts]
        print((bare_scan if chosen.contender == "scan" else decode_everything)(paths))
    elif not (DATA / "scale.py").is_file():
        print("skipped: the generator of the corpus is not beside the project (shared/data/scale.py)")
    elif chosen.over_time:
        compare_over_time(chosen.events, chosen.rounds, chosen.only.split(","))
    else:
        compare(chosen.events, chosen.rounds, chosen.only.split(","), long=chosen.long)


if __name__ == "__main__":
    main()
