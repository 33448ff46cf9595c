"""Whether a sweep is invisible: latencies of everybody else while a million expired sessions are written
back.

Two servers on copies of one database, one with the sweeper switched off; while one is measured the other is
stopped (SIGSTOP). Both get the same requests, due at random instants at 30 % of what saturates the quiet one.
"""

from __future__ import annotations

import random

import apsw

from benchmarks import servers
from benchmarks.bench import Bench, creations, gets, lists, tokens
from benchmarks.fill import Filled
from benchmarks.load import Request, Result
from benchmarks.report import Figure, take_turns
from benchmarks.servers import Server

SHARE = 0.3
_MIX = {"get": 0.80, "token": 0.10, "list": 0.05, "create": 0.05}


def sweep(bench: Bench) -> list[Figure]:
    """p99 at 30 % load during a sweep, against the quiet value."""
    original = bench.fills.get(bench.many, expired=True)
    swept, quiet = original.copy("swept.db"), original.copy("quiet.db")
    figures: list[Figure] = []
    with servers.sojourn(quiet.path, settings={"SWEEP": "false"}) as calm:
        requests = _mix(quiet)
        rate = SHARE * bench.rate(calm, requests)
        with servers.sojourn(swept.path) as busy:
            busy.pause()
            results: dict[str, list[Result]] = {"calm": [], "busy": []}

            def measure(name: str, server: Server, other: Server) -> float:
                other.pause()
                server.resume()
                results[name].append(bench.run(server, requests, rate=rate))
                return results[name][-1].percentile(0.99)

            turns = take_turns(
                bench.rounds,
                lambda: measure("calm", calm, busy),
                lambda: measure("busy", busy, calm),
            )
            busy.resume()
            calm.resume()
    written, left = _progress(swept)
    figures.append(
        Figure(
            part="sweep",
            name=f"p99 during a sweep of {bench.many:,}, to quiet",
            measured=f"{turns.median(1):.2f} ms to {turns.median(0):.2f} ms at {rate:,.0f}/s",
            value=turns.ratio(1, 0),
            at_most=2.0,
        )
    )
    for kind in _MIX:
        busy_ms, calm_ms = (_median_p99(results[side], kind) for side in ("busy", "calm"))
        figures.append(
            Figure(
                part="sweep",
                name=f"  p99 of {kind}",
                measured=f"{busy_ms:.2f} ms to {calm_ms:.2f} ms",
                value=busy_ms / calm_ms,
            )
        )
    figures.append(
        Figure(part="sweep", name="  sessions swept meanwhile", measured=f"{written:,}, {left:,} still to do")
    )
    for one in (swept, quiet):
        one.path.unlink()
    return figures


def _mix(filled: Filled) -> list[Request]:
    chance = random.Random(5)
    choices = {
        "get": gets(filled),
        "token": tokens(filled),
        "list": lists(filled),
        "create": creations(filled),
    }
    kinds = chance.choices(list(_MIX), list(_MIX.values()), k=20_000)
    return [chance.choice(choices[kind]) for kind in kinds]


def _median_p99(results: list[Result], kind: str) -> float:
    values = sorted(result.percentile(0.99, kind) for result in results)
    return values[len(values) // 2]


def _progress(filled: Filled) -> tuple[int, int]:
    """Sessions that have been written back, and those still to be."""
    connection = apsw.Connection(str(filled.path))
    ((written,),) = connection.execute("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL").fetchall()
    ((left,),) = connection.execute(
        "SELECT count(*) FROM sessions WHERE due_at <= unixepoch() * 1000"
    ).fetchall()
    connection.close()
    return written, left
