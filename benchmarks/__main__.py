"""`python -m benchmarks [name ...] [--quick] [--json] [--data FOLDER]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import ending, guarding, reading, signing, storing, sweeping
from benchmarks.bench import Bench
from benchmarks.fill import Fills
from benchmarks.machine import both_cores
from benchmarks.report import Figure, table

PARTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "get": reading.get,
    "token": signing.token,
    "workers": signing.workers,
    "create": storing.create,
    "scale": reading.scale,
    "size": storing.size,
    "memory": storing.memory,
    "sweep": sweeping.sweep,
    "ending": ending.ending,
    "verify": signing.verify,
    "guard": guarding.guard,
}


def main() -> int:
    """Run what was asked for and print it. 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="100,000 sessions and short runs")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--data", type=Path, help="where the databases are made; default: a temporary folder")
    given = parser.parse_args()
    for name in given.names:
        if name not in PARTS:
            parser.error(f"there is no benchmark called {name}")
    if len(set(both_cores())) == 1:
        print(
            "a single core: server and load generator share it, so the figures mean little", file=sys.stderr
        )
    with tempfile.TemporaryDirectory(prefix="sojourn-bench-", dir=given.data) as folder:
        fills = Fills(Path(folder))
        bench = Bench(fills, seconds=1.5, rounds=3, many=100_000) if given.quick else Bench(fills)
        figures: list[Figure] = []
        for name in given.names or PARTS:
            began = time.monotonic()
            figures += PARTS[name](bench)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(table(figures))
    missed = [figure.name.strip() for figure in figures if figure.ok is False]
    if given.json:
        print(json.dumps({"figures": [figure.as_json() for figure in figures], "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
