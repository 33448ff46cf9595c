"""Reads against a server that does nothing, and everything against a database a hundred times as small."""

from __future__ import annotations

from benchmarks import servers
from benchmarks.bench import Bench, gets, lists, tokens
from benchmarks.load import request
from benchmarks.report import Figure, take_turns


def get(bench: Bench) -> list[Figure]:
    """GET a session with a million stored, against Starlette doing nothing."""
    filled = bench.fills.get(bench.many)
    with servers.sojourn(filled.path) as ours, servers.noop() as theirs:
        nothing = [request("GET", "/readyz")]
        turns = take_turns(
            bench.rounds,
            lambda: bench.core_rate(ours, gets(filled)),
            lambda: bench.core_rate(theirs, nothing),
        )
        # The generator has to be the faster of the two even where the server does nothing at all.
        check = bench.run(theirs, nothing)
    return [
        Figure(
            part="get",
            name=f"GET a session of {bench.many:,}, to no-op Starlette",
            measured=f"{turns.median(0):,.0f}/s to {turns.median(1):,.0f}/s",
            value=turns.ratio(0, 1),
            at_least=0.55,
        ),
        Figure(
            part="get",
            name="  no-op run: CPU of the server, of the generator",
            measured=f"{check.server_cpu:.0%}, {check.load_cpu:.0%}",
        ),
    ]


def scale(bench: Bench) -> list[Figure]:
    """Reads and tokens with a million sessions, against ten thousand."""
    many, few = bench.fills.get(bench.many), bench.fills.get(bench.few)
    figures: list[Figure] = []
    kinds = {
        "get": gets,
        "token creation": tokens,
        "list of 20": lists,
        "list of 20, paginated": lambda filled: lists(filled, paginated=True),
    }
    with servers.sojourn(many.path) as large, servers.sojourn(few.path) as small:
        for name, requests in kinds.items():
            turns = take_turns(
                bench.rounds,
                lambda requests=requests: bench.core_rate(small, requests(few)),
                lambda requests=requests: bench.core_rate(large, requests(many)),
            )
            figures.append(
                Figure(
                    part="scale",
                    name=f"{name}: time with {bench.many:,} to {bench.few:,}",
                    measured=f"{1e6 / turns.median(1):.0f} µs to {1e6 / turns.median(0):.0f} µs",
                    value=turns.ratio(0, 1),
                    at_most=1.3,
                )
            )
    return figures
