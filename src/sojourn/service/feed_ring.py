"""The part of the log that still matters to verifiers, as one ring of encoded batches."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from sojourn.core import ids, revocations
from sojourn.core.events import Event, EventType
from sojourn.core.revocations import Revocation, RevocationKind
from sojourn.core.session import Status
from sojourn.service.context import PAGE_LIMIT, Context
from sojourn.service.feed_messages import place_of
from sojourn.service.ports import EventPage, SessionQuery
from sojourn.tokens.keyring import SKEW_MS

_FIRST_LOOK = 1000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """Revocations of some positions of the log. `data` is JSON: `from`, `position` and `entries`."""

    position: int
    at: int
    """The latest instant in it."""
    data: bytes


class FeedRing:
    """Reads the log and keeps what verifiers have to know, as far back as a token can be good."""

    def __init__(
        self, context: Context, *, horizon_seconds: int | None, key_revoked: Callable[[str | None], None]
    ) -> None:
        self._context = context
        self._horizon_seconds = horizon_seconds
        self._key_revoked = key_revoked
        self._batches: list[Batch] = []
        self._reading = asyncio.Lock()
        self._cursor = ""
        """Where the log has been read to, as the store puts it."""
        self.epoch = ""
        self.start = self.position = 0
        """From where to where the ring reaches."""
        self.checked = 0.0
        """When the log was last read to its end, on the monotonic clock (s): the beginning of that read."""

    @property
    def horizon_ms(self) -> int:
        """For how long a revocation is told: as long as a token of the policy's lifetime is good, with the
        clocks' difference added. A token older than this may have been revoked unheard."""
        seconds = self._horizon_seconds or self._context.policy.token_lifetime_seconds
        return seconds * 1000 + SKEW_MS

    @property
    def last(self) -> int:
        """Where the newest batch ends."""
        return self._batches[-1].position if self._batches else self.start

    def behind(self, position: int) -> Sequence[Batch]:
        """The next batches for a reader who has everything up to a position."""
        first = bisect_right(self._batches, position, key=lambda batch: batch.position)
        return self._batches[first : first + PAGE_LIMIT]

    def clear(self) -> None:
        """Keep nothing: the next `begin` reads it again."""
        self._batches.clear()

    async def begin(self) -> None:
        """Read the log from as far back as matters. Raises PositionLost and what a store may."""
        async with self._reading:
            since = self._context.clock.now() - self.horizon_ms
            count = _FIRST_LOOK
            while True:
                position = await self._context.store.position_back(count)
                page = await self._context.store.events(position, 1)
                further = await self._context.store.position_back(count * 4)
                if further == position or not page.events or _logged_at(page.events[0]) < since:
                    break
                count *= 4
            self._batches.clear()
            self.epoch, self._cursor = position.rpartition(".")[0], position
            self.start = self.position = place_of(position)
            await self._read_on()

    async def read(self) -> None:
        """Take in what the log has further. Raises PositionLost and what a store may."""
        async with self._reading:
            await self._read_on()

    async def _read_on(self) -> None:
        while True:
            checked = time.monotonic()
            page = await self._context.store.events(self._cursor, PAGE_LIMIT)
            await self._take_in(page)
            if len(page.events) < PAGE_LIMIT:
                break
        self.checked = checked
        self._forget()

    async def _take_in(self, page: EventPage) -> None:
        found = [one for event in page.events if (one := await self._revocation(event)) is not None]
        position = place_of(page.position)
        if found:
            entries = [one.to_wire() for one in found]
            data = _encode({"from": self.last, "position": position, "entries": entries})
            self._batches.append(Batch(position, max(one.at for one in found), data))
        self.position, self._cursor = position, page.position

    def _forget(self) -> None:
        since = self._context.clock.now() - self.horizon_ms
        gone = 0
        while gone < len(self._batches) and self._batches[gone].at < since:
            gone += 1
        if gone:
            self.start = self._batches[gone - 1].position
            del self._batches[:gone]

    async def _revocation(self, event: Event) -> Revocation | None:
        if event.type is EventType.API_KEY_REVOKED:
            self._key_revoked(event.resource_id)
        found = revocations.of_event(event)
        if found is None or found.kind is not RevocationKind.CLIENT:
            return found
        return replace(found, session_ids=tuple(await self._ended_on(event)))

    async def _ended_on(self, event: Event) -> Sequence[str]:
        """The sessions that a client has lost: its tokens do not name it."""
        since, offset, found = event.at - self.horizon_ms, 0, list[str]()
        while True:
            page = await self._context.store.sessions(
                SessionQuery(
                    now=self._context.clock.now(),
                    client_id=event.client_id,
                    statuses=frozenset({Status.REVOKED}),
                    limit=PAGE_LIMIT,
                    offset=offset,
                )
            )
            for held in page.items:
                ending = held.session.ending
                if held.session.id != event.session_id and (ending is None or ending.at >= since):
                    found.append(held.session.id)
            if len(page.items) < PAGE_LIMIT:
                return found
            offset += PAGE_LIMIT


def _logged_at(event: Event) -> int:
    """When an event was written (Unix ms): its `at` may be a deadline long past, its id is of that moment."""
    try:
        return ids.created_at_ms(event.id)
    except ValueError:
        return event.at
