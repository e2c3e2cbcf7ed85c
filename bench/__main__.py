"""`make bench`: every benchmark, one after the other; each prints ratios of figures taken in one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAMS = sorted(p for p in Path(__file__).parent.glob("*.py") if not p.name.startswith("_"))


def main() -> int:
    status = 0
    for program in PROGRAMS:
        print(f"== {program.stem}", flush=True)
        status |= subprocess.run([sys.executable, program], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
