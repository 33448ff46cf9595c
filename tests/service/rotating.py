"""What the tests of rotation share: keys made beforehand, and short ways to look at them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sojourn import Sojourn
from sojourn.core.keys import KeyUse, StoredKey
from sojourn.tokens import jws
from sojourn.tokens.keys import SigningKey
from tests.embedded import DAY, all_events, store_of, user_id

POOL = [SigningKey.generate(f"pool{number}") for number in range(12)]
LONG = 20 * DAY
"""Seconds; longer than a session lives, so that a token lives as long as its session."""


def different_keys() -> Callable[[str], SigningKey]:
    """In the place of SigningKey.generate: different keys, but made beforehand."""
    numbers = count()
    return lambda kid: SigningKey(kid, "RS256", POOL[next(numbers) % len(POOL)].private)


async def session_of(sojourn: Sojourn) -> str:
    """A new session's id."""
    return (await sojourn.sessions.create(user_id=await user_id(sojourn))).id


async def token_of(sojourn: Sojourn, seconds: int | None = None) -> str:
    """A token of a new session."""
    return await sojourn.tokens.create(await session_of(sojourn), expires_in_seconds=seconds)


def kid_of(sojourn: Sojourn, token: str) -> str:
    """The key that signed a token that must be good."""
    return jws.verify(token, sojourn.keys.public).header.kid


def kids(sojourn: Sojourn) -> list[str]:
    """The kids that a verifier finds published."""
    keys = sojourn.keys.jwks()["keys"]
    assert isinstance(keys, list)
    return [key["kid"] for key in keys]


async def rows(sojourn: Sojourn) -> dict[str, StoredKey]:
    """The signing keys as stored."""
    stored = await store_of(sojourn).stored_keys()
    return {row.kid: row for row in stored if row.use is KeyUse.SIGNING}


async def states(sojourn: Sojourn) -> dict[str, str]:
    """Where each key stands now."""
    return {key.kid: key.state for key in await sojourn.keys.list()}


async def key_events(sojourn: Sojourn) -> list[tuple[str, str | None, int]]:
    """What the log says of signing keys."""
    return [
        (e.type.value, e.resource_id, e.at)
        for e in await all_events(sojourn)
        if e.type.value.startswith("key.")
    ]
