"""Revoke with proof: whether every verifier has heard, whichever process it listens to.

A verifier trusts what a process has read of the log for the length of its lease and no longer. So once the
longest lease has passed since a commit, nobody accepts what that commit revoked, heard or not.
Acknowledgements only make it known sooner: for that, whoever waits has to know of every process that has
listeners. Each says so in a document before it vouches for anything, and its document counts until it is
surely gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sojourn.core.errors import SojournError
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.feed import Feed, Subscriber
from sojourn.service.ports import DeleteDocument, Document, PutDocument, Refused

TICK_SECONDS = 0.02
RENEW_SECONDS = 1.0
VOUCHING_SECONDS = 50.0
"""How long a process vouches without having renewed its document."""
FORGOTTEN_MS = 60_000
"""When the document of another process that has not been renewed counts no more; longer than it vouches."""
_MOST_PROCESSES = 100
_WORKER, _WISH, _ACK = "feed_worker", "feed_wish", "feed_ack"
_log = logging.getLogger("sojourn.feed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Nobody accepts it any more: of so many `verifiers`, so many have acknowledged; the leases of the others
    have run out. `ms` is how long that took."""

    verifiers: int
    acknowledged: int
    ms: int

    @property
    def lapsed(self) -> int:
        """How many did not answer within their lease."""
        return self.verifiers - self.acknowledged


class Reach:
    """Waits for verifiers, and answers for those of this process."""

    def __init__(self, context: Context, feed: Feed) -> None:
        self._context = context
        self._feed = feed
        self._id = context.entropy.bytes(12).hex()
        self._version = self._answered = 0
        self._renewed = 0.0
        self._counts = (0, 0)

    async def wait(self) -> Reached:
        """Until no verifier accepts what was revoked before this call; at the latest for the longest lease
        of any, 2 s unless a verifier asks for another."""
        began = time.monotonic()
        others = await self._others()
        wish = await self._wish() if others else 0
        verifiers, acknowledged = await self._here()
        found: Mapping[str, Document] = {one.id: one for one in others}
        while True:
            elapsed_ms = (time.monotonic() - began) * 1000
            open_ = [
                one for one in found.values()
                if _number(one, "answered") < wish and elapsed_ms < _number(one, "lease_ms")
            ]  # fmt: skip
            if not open_:
                break
            await asyncio.sleep(TICK_SECONDS / 2)
            for one in await self._context.store.documents(_WORKER, _MOST_PROCESSES):
                if one.id in found:
                    found = {**found, one.id: one}
        for one in found.values():
            answered = _number(one, "answered") >= wish
            verifiers += _number(one, "asked" if answered else "verifiers")
            acknowledged += _number(one, "acknowledged") if answered else 0
        return Reached(
            verifiers=verifiers, acknowledged=acknowledged, ms=round((time.monotonic() - began) * 1000)
        )

    async def acknowledge(self, subscription: str, position: int) -> None:
        """A verifier has heard everything up to a place in the log. One that listens to another process is
        put where that one finds it."""
        one = self._feed.subscribers.get(subscription)
        if one is not None:
            one.acknowledged = max(one.acknowledged, position)
            self._feed.acknowledged.set()
            return
        content = {"position": position, "at": self._context.clock.now()}
        await self._put(_ACK, subscription, content)

    async def run(self) -> None:
        """Tell other processes of the listeners here, and answer their wishes, until cancelled."""
        try:
            while True:
                await self._feed.serving.wait()
                try:
                    await (self._withdraw() if self._feed.withdraw() else self._turn())
                except SojournError as error:
                    _log.warning("other processes cannot be told of listeners: %s", error.detail)
                    await asyncio.sleep(RENEW_SECONDS)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            await asyncio.shield(self._withdraw())

    # How it is done ----------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        now = time.monotonic()
        longest = max((one.lease_ms for one in self._feed.subscribers.values()), default=0)
        if now - self._renewed >= RENEW_SECONDS or longest > self._feed.vouched_lease_ms:
            await self._renew(max(longest, self._feed.vouched_lease_ms))
            await self._clear()
        wish = await self._context.store.document(_WISH, "wish")
        if wish is not None and wish.version > self._answered:
            self._counts = await self._here()
            self._answered = wish.version
            await self._renew(self._feed.vouched_lease_ms)

    async def _renew(self, lease_ms: int) -> None:
        began = time.monotonic()
        asked, acknowledged = self._counts
        content = {
            "at": self._context.clock.now(),
            "lease_ms": lease_ms,
            "verifiers": len(self._feed.subscribers),
            "answered": self._answered,
            "asked": asked,
            "acknowledged": acknowledged,
        }
        if self._version == 0:
            # What was wished before this process had listeners is none of its business.
            wish = await self._context.store.document(_WISH, "wish")
            self._answered = content["answered"] = wish.version if wish else 0
        await self._context.store.commit(
            [PutDocument(kind=_WORKER, id=self._id, content=content, expected_version=self._version)]
        )
        self._version += 1
        self._renewed = began
        self._feed.vouch(lease_ms=lease_ms, until=began + VOUCHING_SECONDS)

    async def _here(self) -> tuple[int, int]:
        """Ask the verifiers of this process: how many there are, and how many have acknowledged."""
        position = await self._feed.catch_up()
        waiting = self._feed.vouched()
        asked = {one.id: one for one, _ in waiting}
        with self._feed.asking(position):
            while pending := [
                (one, until)
                for one, until in waiting
                if one.acknowledged < position and until > time.monotonic()
            ]:
                self._feed.acknowledged.clear()
                soonest = min(until for _, until in pending) - time.monotonic()
                await _at_most(self._feed.acknowledged, min(max(soonest, 0.001), TICK_SECONDS))
                await self._collect([one for one, _ in pending])
        return len(asked), sum(one.acknowledged >= position for one in asked.values())

    async def _collect(self, pending: list[Subscriber]) -> None:
        """The acknowledgements that came to other processes."""
        if not await self._context.store.documents(_ACK, 1):
            return
        for one in pending:
            found = await self._context.store.document(_ACK, one.id)
            if found is not None:
                one.acknowledged = max(one.acknowledged, _number(found, "position"))

    async def _others(self) -> list[Document]:
        since = self._context.clock.now() - FORGOTTEN_MS
        found = await self._context.store.documents(_WORKER, _MOST_PROCESSES)
        return [one for one in found if one.id != self._id and _number(one, "at") >= since]

    async def _wish(self) -> int:
        return await self._put(_WISH, "wish", {"at": self._context.clock.now()})

    async def _put(self, kind: str, name: str, content: Mapping[str, object]) -> int:
        """Store a document whatever it was. The version that it has now; of several who do so at once, that
        of one of them."""
        version = 0
        for _ in range(ATTEMPTS):
            known = await self._context.store.document(kind, name)
            version = known.version if known else 0
            put = PutDocument(kind=kind, id=name, content=content, expected_version=version)
            try:
                await self._context.store.commit([put])
                break
            except Refused:
                continue
        return version + 1

    async def _clear(self) -> None:
        """Remove what processes that are gone have left."""
        since = self._context.clock.now() - FORGOTTEN_MS
        for kind in (_WORKER, _ACK):
            for one in await self._context.store.documents(kind, _MOST_PROCESSES):
                if _number(one, "at") < since and one.id != self._id:
                    await self._delete(one)

    async def _withdraw(self) -> None:
        version, self._version, self._renewed = self._version, 0, 0.0
        if version:
            with contextlib.suppress(SojournError):  # it counts a little longer
                await self._delete(Document(kind=_WORKER, id=self._id, content={}, version=version))

    async def _delete(self, one: Document) -> None:
        try:
            await self._context.store.commit(
                [DeleteDocument(kind=one.kind, id=one.id, expected_version=one.version)]
            )
        except Refused:
            return  # somebody else has done it, or it has been renewed


def _number(document: Document, name: str) -> int:
    value = document.content.get(name)
    return value if isinstance(value, int) else 0


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
