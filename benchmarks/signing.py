"""Token creation against what one core can sign, in the event loop or in a thread, and on two cores."""

from __future__ import annotations

import json

from benchmarks import servers
from benchmarks.bench import Bench, alone, tokens
from benchmarks.machine import both_cores
from benchmarks.report import Figure, take_turns


def token(bench: Bench) -> list[Figure]:
    """Tokens over HTTP against RS256 signatures in a plain loop on the same core."""
    filled = bench.fills.get(bench.few).copy("tokens.db")
    # No touch interval is longer than a run, so that one side writes a touch with every token.
    eager = {"POLICY_TOUCH_INTERVAL_SECONDS": "1"}
    with servers.sojourn(filled.path) as server, servers.sojourn(filled.path, settings=eager) as touching:
        turns = take_turns(
            bench.rounds,
            lambda: bench.core_rate(server, tokens(filled)),
            lambda: float(alone("raw", "sign", str(bench.seconds))),
            lambda: bench.core_rate(touching, tokens(filled)),
        )
    threads = take_turns(
        max(2, bench.rounds // 2),
        lambda: float(alone("threads", "loop", str(bench.seconds))),
        lambda: float(alone("threads", "thread", str(bench.seconds))),
    )
    return [
        Figure(
            part="token",
            name="token creation, to RS256 by OpenSSL on one core",
            measured=f"{turns.median(0):,.0f}/s to {turns.median(1):,.0f}/s",
            value=turns.ratio(0, 1),
            at_least=0.70,
        ),
        Figure(
            part="token",
            name="  the same, each session touched every second",
            measured=f"{turns.median(2):,.0f}/s",
            value=turns.ratio(2, 1),
        ),
        Figure(
            part="token",
            name="  signing in a thread, to signing in the loop (one core, no HTTP)",
            measured=f"{threads.median(1):,.0f}/s to {threads.median(0):,.0f}/s",
            value=threads.ratio(1, 0),
        ),
    ]


def workers(bench: Bench) -> list[Figure]:
    """Two workers against one. The generator has no core to itself here, so it sleeps when it has nothing to
    do: a token costs the server some ten times what it costs the generator, which is what two workers lack,
    and the figure is a little too low, never too high."""
    filled = bench.fills.get(bench.few).copy("workers.db")
    cores = both_cores()
    with (
        servers.sojourn(filled.path) as one,
        servers.sojourn(filled.path, workers=2, cores=cores) as two,
    ):
        results = [[], []]

        def measure(side: int) -> float:
            result = bench.run((one, two)[side], tokens(filled), connections=64, cores=cores, polls=False)
            results[side].append(result)
            return result.rate

        turns = take_turns(bench.rounds, lambda: measure(0), lambda: measure(1))
    share = sum(result.load_cpu for result in results[1]) / len(results[1])
    return [
        Figure(
            part="workers",
            name="token creation, two workers to one",
            measured=f"{turns.median(1):,.0f}/s to {turns.median(0):,.0f}/s, generator {share:.0%} of a core",
            value=turns.ratio(1, 0),
            at_least=1.5,
        )
    ]


def verify(bench: Bench) -> list[Figure]:
    """A verification of a token not seen before and of one seen, against others' and OpenSSL's."""
    found: dict[str, float] = json.loads(alone("verifiers", str(int(bench.seconds * 40))))
    cold = found["cold_us"]
    pairs = (
        ("verify and check a token, to raw RS256", cold, found["raw_us"], {"at_most": 1.7}),
        ("  joserfc's time to ours", found["joserfc_us"], cold, {"at_least": 1.0}),
        ("  PyJWT's time to ours", found["pyjwt_us"], cold, {"at_least": 1.0}),
        ("  clerk-backend-api's time to ours", found["clerk_backend_api_us"], cold, {"at_least": 2.5}),
        ("  the first time to the next ones", cold, found["seen_us"], {"at_least": 20.0}),
    )
    return [
        Figure(part="verify", name=name, measured=f"{one:.1f} µs to {to:.1f} µs", value=one / to, **bar)
        for name, one, to, bar in pairs
    ]
