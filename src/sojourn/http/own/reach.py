"""Waiting until no verifier accepts what was just revoked."""

from __future__ import annotations

from sojourn.http.parameters import Text
from sojourn.http.routes import Call

REACH = Text(
    "reach",
    "`wait`: answer when every verifier has acknowledged it, or its lease has run out.",
    words=("wait",),
)


async def reached(call: Call) -> dict[str, object]:
    """How many verifiers were waited for, and how long."""
    found = await call.sojourn.reach.wait()
    return {
        "verifiers": found.verifiers,
        "acknowledged": found.acknowledged,
        "lapsed": found.lapsed,
        "ms": found.ms,
    }
