"""An embedded Sojourn for tests: a clock that stands still, a store that can be watched and broken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sojourn import Config, Policy, Sojourn
from sojourn.core.events import Event
from sojourn.service.ports import Store
from sojourn.testing import ManualClock
from sojourn.tokens.keys import SigningKey

MINUTE, HOUR, DAY = 60, 3600, 86_400
_private = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def reuse_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every new signing key from one private key: generating one takes longer than most tests."""
    monkeypatch.setattr(SigningKey, "generate", lambda kid: SigningKey(kid, "RS256", _private))


@asynccontextmanager
async def opened(
    database_url: str = "memory://",
    *,
    clock: ManualClock | None = None,
    policy: Policy | None = None,
    **settings: Any,
) -> AsyncGenerator[Sojourn]:
    """A Sojourn that nothing sweeps unless a test does."""
    config = Config(**{"database_url": database_url, "sweep": False, **settings})
    async with Sojourn.open(config=config, policy=policy, clock=clock or ManualClock()) as sojourn:
        yield sojourn


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that happens in the background; fail when it takes ten seconds."""
    async with asyncio.timeout(10):
        while not await met():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.005)


class WatchedStore:
    """Passes every verb on to a store, counts the calls and raises what `failing` says instead."""

    def __init__(self, store: Store) -> None:
        self.inner = store
        self.calls: Counter[str] = Counter()
        self.failing: dict[str, BaseException] = {}
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        """What happens, once, just before a verb is passed on: somebody else who is faster."""

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.inner, name)

        @wraps(verb)
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            if name in self.failing:
                raise self.failing[name]
            if name in self.before:
                await self.before.pop(name)()
            return await verb(*args, **kwargs)

        return call


def watch(sojourn: Sojourn) -> WatchedStore:
    """Put a watched store between the services of a Sojourn and its store."""
    context: Any = sojourn._context
    watched = WatchedStore(context.store)
    object.__setattr__(context, "store", watched)
    return watched


def store_of(sojourn: Sojourn) -> Store:
    """The store under the services."""
    context: Any = sojourn._context
    return context.store


async def all_events(sojourn: Sojourn) -> list[Event]:
    """The whole log, read in small pages."""
    found: list[Event] = []
    position: str | None = None
    while (page := await sojourn.events.read(position, limit=50)).events:
        found += page.events
        position = page.position
    return found


async def event_types(sojourn: Sojourn) -> list[str]:
    """The types of all events, oldest first."""
    return [event.type.value for event in await all_events(sojourn)]


async def user_id(sojourn: Sojourn, external_id: str = "42") -> str:
    """The id of a user who is there."""
    return (await sojourn.users.ensure(external_id=external_id)).id
