"""The sweeper: writes settled statuses back, announces them, and deletes what ended long ago.

Nothing that is read depends on it having run: a dead sweeper delays events, never correctness.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sojourn.core import lifecycle
from sojourn.core.errors import SojournError
from sojourn.core.events import BY_STATUS
from sojourn.core.session import Reason
from sojourn.service.context import Context
from sojourn.service.endings import Endings
from sojourn.service.ports import Held, Operation, Refused, UpdateSession
from sojourn.service.signing_keys import SigningKeys

_log = logging.getLogger("sojourn.sweeper")

BATCH = 32
"""Sessions a transaction: under a millisecond of work between two chances for others."""
PURGE_BATCH = 200
DUTY = 4
"""After a batch the sweeper rests this many times as long as the batch took."""
SHORTEST_REST_SECONDS = 0.002
ONCE_RETENTION_MS = 86_400_000
"""Idempotency keys are remembered for a day."""


class Sweeper:
    """Sweeps and purges in bounded batches."""

    def __init__(
        self,
        context: Context,
        endings: Endings,
        *,
        keys: SigningKeys | None = None,
        interval_seconds: float = 10.0,
    ) -> None:
        self._context = context
        self._endings = endings
        self._keys = keys
        self._interval = interval_seconds

    async def run(self) -> None:
        """Sweep and purge until cancelled; whatever goes wrong is logged and tried again later."""
        while True:
            await self._try(self._sweep_and_purge)
            await self._try(self.settle_keys)
            await self._endings.wait(self._interval)

    async def settle_keys(self) -> None:
        """Write down which signing key has taken over, and rotate by age."""
        if self._keys is not None:
            await self._keys.settle()

    async def sweep(self, *, rest: bool = False) -> int:
        """Write back every session that has ended by now. How many were written."""
        swept = 0
        while True:
            began = asyncio.get_running_loop().time()
            now = self._context.clock.now()
            batch = await self._context.store.overdue(now, BATCH)
            if not batch.sessions:
                return swept
            swept += await self._write_back(batch.sessions, now)
            await self._rest(began, rest)

    async def purge(self, *, rest: bool = False) -> int:
        """Delete what is older than the policy keeps it. How many rows went."""
        policy = self._context.policy
        purged = 0
        while True:
            began = asyncio.get_running_loop().time()
            now = self._context.clock.now()
            gone = await self._context.store.purge(
                ended_before=now - policy.retention_seconds * 1000,
                events_before=now - policy.event_retention_seconds * 1000,
                once_before=now - ONCE_RETENTION_MS,
                limit=PURGE_BATCH,
            )
            gone += await self._context.store.purge_tickets(
                before=now - policy.retention_seconds * 1000, limit=PURGE_BATCH
            )
            gone += await self._context.store.purge_deposits(before=now, limit=PURGE_BATCH)
            if not gone:
                return purged
            purged += gone
            await self._rest(began, rest)

    async def _sweep_and_purge(self) -> None:
        await self._endings.work_off()
        await self.sweep(rest=True)
        await self.purge(rest=True)

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except SojournError as error:
            _log.warning("sweep interrupted", extra={"error": error.code})
        except Exception:
            _log.exception("sweep interrupted")

    async def _write_back(self, batch: Sequence[Held], now: int) -> int:
        """One transaction for the batch; where somebody changed one of its sessions meanwhile, one each."""
        groups = [g for held in batch if (g := self._operations(held, now))]
        if not groups:
            return 0
        try:
            await self._context.store.commit([operation for group in groups for operation in group])
        except Refused:
            return sum([await self._write_one(group) for group in groups])
        return len(groups)

    async def _write_one(self, operations: Sequence[Operation]) -> int:
        try:
            await self._context.store.commit(operations)
        except Refused:
            return 0  # ended or touched by somebody else in between: the next sweep sees it as it is
        return 1

    def _operations(self, held: Held, now: int) -> Sequence[Operation]:
        settled = lifecycle.settle(held.session, held.cutoffs, now)
        if settled.ending is None:
            return ()
        idle = settled.ending.reason is Reason.INACTIVITY
        update = UpdateSession(
            session=settled,
            expected_version=held.session.version,
            expected_active_at=held.session.last_active_at if idle else None,
        )
        return (update, self._context.session_event(settled, BY_STATUS[settled.status], now))

    async def _rest(self, began: float, rest: bool) -> None:
        if rest:
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(SHORTEST_REST_SECONDS, DUTY * took))
