"""Ending the sessions that a description fits: looked at first, then done at once or in resumable steps."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sojourn.core import lifecycle
from sojourn.core.errors import Conflict, Invalid, NotFound
from sojourn.core.events import BY_STATUS
from sojourn.core.ids import Prefix
from sojourn.core.lifecycle import SubjectKind, Trigger
from sojourn.core.session import Instigator, Reason, Session, Status
from sojourn.service import cutoffs
from sojourn.service.context import ATTEMPTS, Context, check_page
from sojourn.service.cutoffs import cut
from sojourn.service.filters import SessionFilter, comes_from, with_key
from sojourn.service.ports import (
    Document,
    Operation,
    PutDocument,
    Refused,
    SessionWalk,
    UpdateSession,
    WalkStep,
)

BATCH = 200
WINDOW = 10_000
SAMPLE = 10
LIVE = frozenset({Status.ACTIVE, Status.PENDING})
_KIND = "ending"
_KEPT = 1000
_SHORTEST_REST = 0.002
_log = logging.getLogger("sojourn.endings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an ending would end: how many now, and a few of them, the newest."""

    count: int
    sample: Sequence[Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An ending in progress or done. `method` is `cutoff` for one that was done in a single step. `before` is
    the creation sequence from which it goes on, downwards; `ended` counts what it has ended itself."""

    id: str
    filter: SessionFilter
    state: Literal["running", "done", "cancelled"]
    method: Literal["steps", "cutoff"]
    note: str | None
    ended: int
    before: int | None
    created_at: int
    updated_at: int
    version: int = 0


class Endings:
    """Preview, begin, watch and cancel endings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._begun = asyncio.Event()

    async def preview(self, which: SessionFilter) -> Preview:
        """Count the live sessions that fit and show a few, without ending any. Looks at every session that
        may fit, so of a large instance it takes seconds. Raises Invalid, NotFound (a signing key)."""
        networks = which.networks()
        now = self._context.clock.now()
        which = await with_key(self._context.store, which, now)
        count, before = 0, None
        sample: list[Session] = []
        while True:
            step = await self._step(which, now, before, limit=WINDOW)
            fitting = [s for s in _settled(step, now) if comes_from(s, networks)]
            count += len(fitting)
            sample += fitting[: SAMPLE - len(sample)]
            if step.before is None:
                return Preview(count=count, sample=sample)
            before = step.before

    async def begin(
        self, which: SessionFilter, *, note: str | None = None, everything: bool = False
    ) -> Ending:
        """End the live sessions that fit and were created up to now.

        All of one user, of one client or of the instance end in this call, whatever their number. Any other
        description is worked off in the background, in steps that another process resumes when this one
        dies. A filter that gives nothing needs `everything`. Raises Invalid, NotFound (user,
        client or signing key).
        """
        which.networks()
        given = which.given()
        if not given and not everything:
            raise Invalid("filter", "A filter that fits every session takes all: true.")
        now = self._context.clock.now()
        which = await with_key(self._context.store, which, now)
        ending = Ending(
            id=self._context.id(Prefix.ENDING, now),
            filter=which,
            state="running",
            method="steps",
            note=note,
            ended=0,
            before=await self._newest(),
            created_at=now,
            updated_at=now,
        )
        if subject := await self._subject(given):
            ending = replace(ending, state="done", method="cutoff", before=None)
            ends = cut(self._context, *subject, now, note=note)
            await cutoffs.commit(self._context, [*ends, _put(ending)])
        else:
            if not ending.before:
                ending = replace(ending, state="done", before=None)
            await self._context.store.commit([_put(ending)])
        self._begun.set()
        return replace(ending, version=1)

    async def get(self, ending_id: str) -> Ending:
        """One ending, with its progress. Raises NotFound."""
        document = await self._context.store.document(_KIND, ending_id)
        if document is None:
            raise NotFound("ending", ending_id)
        return _ending_of(document)

    async def list(self, *, limit: int = 10) -> Sequence[Ending]:
        """Endings, newest first. `limit` is from 1 to 500. Raises Invalid."""
        check_page(limit)
        return [_ending_of(document) for document in await self._context.store.documents(_KIND, limit)]

    async def cancel(self, ending_id: str) -> Ending:
        """Stop an ending that is running; what it has ended stays ended. Raises NotFound, Conflict."""
        for _ in range(ATTEMPTS):
            ending = await self.get(ending_id)
            if ending.state != "running":
                return ending
            stopped = replace(ending, state="cancelled", updated_at=self._context.clock.now())
            try:
                await self._context.store.commit([_put(stopped)])
            except Refused:
                continue
            return replace(stopped, version=ending.version + 1)
        raise Conflict

    async def work_off(self) -> int:
        """Bring every running ending to its end; how many sessions were ended. Any number of processes may do
        this at once: a step counts for the one that commits it."""
        self._begun.clear()
        total = 0
        for document in reversed(await self._context.store.documents(_KIND, _KEPT)):
            ending = _ending_of(document)
            while ending.state == "running":
                began = asyncio.get_running_loop().time()
                ended = await self._advance(ending)
                total += ended
                # As long a rest as the step took: requests come first.
                await asyncio.sleep(max(_SHORTEST_REST, asyncio.get_running_loop().time() - began))
                ending = await self.get(ending.id)
        return total

    async def wait(self, seconds: float) -> None:
        """Until an ending is begun in this process, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), seconds)

    # How it is done ----------------------------------------------------------------------------------------

    async def _step(self, which: SessionFilter, now: int, before: int | None, limit: int) -> WalkStep:
        return await self._context.store.walk(
            SessionWalk(
                now=now,
                before=before,
                window=WINDOW,
                limit=limit,
                statuses=LIVE,
                **which.facts(),
            )
        )

    async def _advance(self, ending: Ending) -> int:
        now = self._context.clock.now()
        networks = ending.filter.networks()
        step = await self._step(ending.filter, now, ending.before, BATCH)
        sessions = [s for s in _settled(step, now) if comes_from(s, networks)]
        changes = [self._revocation(session, ending, now) for session in sessions]
        moved = replace(
            ending,
            state="running" if step.before is not None else "done",
            before=step.before,
            ended=ending.ended + len(changes),
            updated_at=max(now, ending.updated_at + 1),
        )
        try:
            await self._context.store.commit([*(one for change in changes for one in change), _put(moved)])
        except Refused:
            return sum([await self._end_one(session, ending.id, now) for session in sessions])
        return len(changes)

    async def _end_one(self, session: Session, ending_id: str, now: int) -> int:
        """Somebody was faster with one of the sessions or with the whole step: each by itself, counted in the
        transaction that ends it. The place is left where it is, so that what lives on is found again."""
        for _ in range(ATTEMPTS):
            ending = await self.get(ending_id)
            if ending.state == "cancelled":
                return 0
            counted = replace(ending, ended=ending.ended + 1, updated_at=max(now, ending.updated_at + 1))
            try:
                await self._context.store.commit([*self._revocation(session, ending, now), _put(counted)])
            except Refused:
                held = await self._context.store.session(session.id)
                if held is None or held.session.version != session.version:
                    return 0
            else:
                return 1
        return 0

    def _revocation(self, session: Session, ending: Ending, now: int) -> Sequence[Operation]:
        revoked = lifecycle.finish(
            session,
            Trigger.REVOKE,
            now,
            reason=Reason.PREDICATE,
            instigator=Instigator.APPLICATION,
            note=ending.note,
        )
        update = UpdateSession(session=revoked, expected_version=session.version)
        return [update, self._context.session_event(revoked, BY_STATUS[revoked.status], now)]

    async def _newest(self) -> int:
        """One more than the newest sequence: where an ending begins. Later sessions are not its business."""
        step = await self._context.store.walk(SessionWalk(now=self._context.clock.now(), limit=1))
        return step.items[0].session.sequence + 1 if step.items else 0

    async def _subject(self, given: dict[str, object]) -> tuple[SubjectKind, str] | None:
        """Whose sessions are meant where it is all of theirs."""
        if not given:
            instance = await self._context.store.instance()
            return SubjectKind.INSTANCE, instance.id if instance else ""
        match list(given.items()):
            case [("user_id", str(user_id))]:
                if await self._context.store.user(user_id) is None:
                    raise NotFound("user", user_id)
                return SubjectKind.USER, user_id
            case [("client_id", str(client_id))]:
                if await self._context.store.client(client_id) is None:
                    raise NotFound("client", client_id)
                return SubjectKind.CLIENT, client_id
            case _:
                return None


def _settled(step: WalkStep, now: int) -> Sequence[Session]:
    return [lifecycle.settle(held.session, held.cutoffs, now) for held in step.items]


def _put(ending: Ending) -> PutDocument:
    content: dict[str, Any] = asdict(ending)
    version = content.pop("version")
    return PutDocument(
        kind=_KIND,
        id=content.pop("id"),
        content={**content, "filter": ending.filter.given()},
        expected_version=version,
    )


def _ending_of(document: Document) -> Ending:
    content: dict[str, Any] = dict(document.content)
    given = content.pop("filter")
    given["addresses"] = tuple(given.get("addresses", ()))
    return Ending(id=document.id, version=document.version, filter=SessionFilter(**given), **content)
