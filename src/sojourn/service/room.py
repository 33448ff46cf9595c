"""The limit of concurrent sessions: making room for one more, by the rule of the policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from sojourn.core import lifecycle
from sojourn.core.events import EventType
from sojourn.core.lifecycle import Trigger
from sojourn.core.policy import MAX_SESSIONS
from sojourn.core.session import Instigator, Reason, Session, Status
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.ports import Operation, Refused, SessionQuery, UpdateSession

_LIVE = frozenset({Status.ACTIVE, Status.PENDING})


class Room:
    """Chooses which sessions go. Whether the limit holds is decided by the store, inside of the commit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def evicts(self) -> bool:
        """Whether a session goes when the limit is reached, rather than the new one being refused."""
        return self._context.policy.session_limit_action != "deny"

    @property
    def attempts(self) -> int:
        """How often a creation is tried. At a limit that evicts, processes compete for the session to go, and
        each loss says no more than that another one's creation went first."""
        return 8 * ATTEMPTS if self.evicts else ATTEMPTS

    @property
    def worth_another_try(self) -> tuple[str, ...]:
        """Refusals of a creation that may succeed when it is tried again with fresh eyes."""
        return (Refused.CHANGED, Refused.LIMIT) if self.evicts else (Refused.CHANGED,)

    @asynccontextmanager
    async def turn(self, user_id: str) -> AsyncGenerator[None]:
        """Where a limit evicts, one creation for a user at a time in this process: all that run at once would
        choose the same session to go, and all but one would have to choose again."""
        if self._context.policy.max_sessions_per_user is None or not self.evicts:
            yield
            return
        lock = self._turns.get(user_id)
        if lock is None:
            lock = self._turns[user_id] = asyncio.Lock()
        async with lock:
            yield

    async def made_for(
        self, session: Session, now: int, *, going: Collection[str] = ()
    ) -> Sequence[Operation]:
        """The operations that end as many of the user's sessions as must go for this one to be created,
        besides those that are `going` anyway."""
        policy = self._context.policy
        if policy.max_sessions_per_user is None or not self.evicts:
            return []
        query = SessionQuery(now=now, user_id=session.user_id, statuses=_LIVE, limit=MAX_SESSIONS + 1)
        page = await self._context.store.sessions(query)
        live = [
            lifecycle.settle(held.session, held.cutoffs, now)
            for held in page.items
            if held.session.id not in going
        ]
        excess = len(live) + 1 - policy.max_sessions_per_user
        if excess <= 0:
            return []
        idle = policy.session_limit_action == "evict_idle"
        live.sort(key=lambda one: (one.last_active_at if idle else 0, one.sequence))
        operations: list[Operation] = []
        for one in live[:excess]:
            gone = lifecycle.finish(
                one, Trigger.REPLACE, now, reason=Reason.SESSION_LIMIT, instigator=Instigator.POLICY
            )
            operations.append(UpdateSession(session=gone, expected_version=one.version))
            operations.append(self._context.session_event(gone, EventType.SESSION_REPLACED, now))
        return operations
