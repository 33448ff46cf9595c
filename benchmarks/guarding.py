"""What the ASGI middleware adds to a Starlette endpoint that does nothing, with tokens seen before."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.load import Request, request
from benchmarks.report import Figure, take_turns
from sojourn.cli.bench_verify import claims
from sojourn.tokens import jws
from sojourn.tokens.keys import SigningKey

_TOKENS = 32
"""Few, so that the warm-up has shown each to the verifier even where the machine is slow."""


def guard(bench: Bench) -> list[Figure]:
    """The same requests, tokens and all, to the same endpoint without and with the middleware."""
    key = SigningKey.generate("ins_bench")
    made = [jws.sign(claims(), key, category=jws.SESSION) for _ in range(_TOKENS)]
    kinds = {
        "header": [request("GET", "/readyz", key=token) for token in made],
        "cookies": [_with_cookies(token) for token in made],
    }
    figures: list[Figure] = []
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
        pem.write(key.public.pem())
        pem.flush()
        with servers.noop() as bare, servers.noop(Path(pem.name)) as guarded:
            for kind, requests in kinds.items():
                turns = take_turns(
                    bench.rounds,
                    lambda requests=requests: bench.core_rate(bare, requests),
                    lambda requests=requests: bench.core_rate(guarded, requests),
                )
                figures.append(
                    Figure(
                        part="guard",
                        name=f"middleware, tokens seen before in {kind}: time to none",
                        measured=f"{1e6 / turns.median(1):.1f} µs to {1e6 / turns.median(0):.1f} µs",
                        value=turns.ratio(0, 1),
                        at_most=1.15 if kind == "header" else None,
                    )
                )
    return figures


def _with_cookies(token: str) -> Request:
    plain = request("GET", "/readyz")
    cookies = f"cookie: __session={token}; __client_uat=1\r\n\r\n"
    return replace(plain, text=plain.text.removesuffix("\r\n") + cookies)
