"""Sessions: create, read, touch and end them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sojourn.core import lifecycle
from sojourn.core.errors import (
    Conflict,
    Invalid,
    Missing,
    NotAMember,
    NotFound,
)
from sojourn.core.events import BY_STATUS, EventType
from sojourn.core.ids import Prefix
from sojourn.core.lifecycle import SubjectKind, Trigger
from sojourn.core.policy import Limits
from sojourn.core.session import Activity, Actor, Instigator, Session, Status
from sojourn.service import choosing, cutoffs, devices, placing, refusals
from sojourn.service.context import ATTEMPTS, Context, Once, check_page
from sojourn.service.cutoffs import cut
from sojourn.service.filters import SessionFilter, comes_from, with_key
from sojourn.service.placing import PLACE_ATTEMPTS, Placement
from sojourn.service.ports import (
    Held,
    InsertSession,
    Operation,
    Refused,
    SessionQuery,
    SessionWalk,
    UpdateSession,
)
from sojourn.service.room import Room

Companion: TypeAlias = Callable[[Session], Awaitable[Sequence[Operation]]]
"""What else is committed in the step that creates a session; asked anew at every attempt, and may refuse."""


@dataclass(frozen=True, slots=True)
class SessionList:
    """Settled sessions, newest first; `total` counts all matches where that was asked for."""

    items: Sequence[Session]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class SessionSearch:
    """A page of a search. `cursor` is where the next one goes on; None: there is nothing further."""

    items: Sequence[Session]
    cursor: str | None


class Sessions:
    """The life of sessions. Every session that comes back is settled: its status is true now."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._room = Room(context)

    async def create(
        self,
        *,
        user_id: str,
        client_id: str | None = None,
        actor: Actor | None = None,
        organization_id: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
        limits: Limits | None = None,
        application: str | None = None,
        pending: bool = True,
        once: Once | None = None,
        also: Companion | None = None,
        place: Placement | None = None,
    ) -> Session:
        """Sign a user in: a new session, on a client of its own unless one is named.

        `limits` overrides the policy for this session alone. It begins in the organization named, else in
        the one that the user last became a member of or chose; the policy may ask for one. With open `tasks`
        it is pending; `pending=False` refuses that. In single-session mode a live session on the same client
        is replaced. `application` says what created it, `also` what else is committed in the same step,
        `place` what becomes of its client. Raises NotFound (user, client or organization), NotAMember,
        UserBanned, UserLocked, SessionLimitReached, SessionCreationNotAllowed (somebody acts as another user
        on that client), Missing (organization), Invalid (limits), IdempotencyMismatch.
        """
        if once is not None and (done := await self._repeated(once)) is not None:
            return done
        tasks = tuple(tasks)
        for _ in range(ATTEMPTS):
            now = self._context.clock.now()
            beginning = await choosing.beginning(self._context, user_id, organization_id)
            policy = self._context.policy.for_session(limits, acting=actor is not None)
            session = lifecycle.create(
                session_id=self._context.id(Prefix.SESSION, now),
                user_id=user_id,
                client_id=client_id or self._context.id(Prefix.CLIENT, now),
                policy=policy,
                now=now,
                actor=actor,
                organization_id=beginning,
                activity=activity,
                tasks=choosing.open_tasks(policy, beginning, tasks),
                application=application,
            )
            if not (pending or session.status is Status.ACTIVE):
                raise Missing("active_organization_id", "active_organization_id must be given here.")
            try:
                async with self._room.turn(user_id):
                    return await self._store(session, client_id, once, now, also, place)
            except NotAMember:
                # A membership that has ended since it was looked up is no reason not to sign in.
                if organization_id is not None:
                    raise await choosing.stranger(self._context, organization_id, user_id) from None
        raise Conflict

    async def _store(
        self,
        session: Session,
        client_id: str | None,
        once: Once | None,
        now: int,
        also: Companion | None,
        place: Placement | None,
    ) -> Session:
        for _ in range(self._room.attempts if place is None else PLACE_ATTEMPTS):
            try:
                operations = await self._creation(session, client_id, once, now, place)
                more = () if also is None else await also(session)
                await self._context.store.commit([*operations, *more])
            except Refused as refused:
                if refused.why == Refused.REPEATED and once is not None:
                    done = await self._repeated(once)
                    if done is not None:
                        return done
                elif refused.why not in self._room.worth_another_try:
                    raise refusals.of_creation(refused, session) from None
            else:
                return session
        raise Conflict

    async def get(self, session_id: str) -> Session:
        """One session in any status, as long as it is kept. Raises NotFound."""
        held = await self._context.store.session(session_id)
        if held is None:
            raise NotFound("session", session_id)
        return self._settled(held)

    async def list(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        status: Status | str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[Session]:
        """Sessions, newest first. `status` is the status now; `limit` is from 1 to 500. Raises Invalid."""
        try:
            statuses = None if status is None else frozenset({Status(status)})
        except ValueError:
            raise Invalid("status", f"status must be one of {', '.join(Status)}.") from None
        page = await self.page(
            user_id=user_id, client_id=client_id, statuses=statuses, limit=limit, offset=offset
        )
        return page.items

    async def page(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        statuses: frozenset[Status] | None = None,
        excluded: frozenset[Status] = frozenset(),
        limit: int = 10,
        offset: int = 0,
        count: bool = False,
    ) -> SessionList:
        """As `list`, with several statuses, excluded ones and on demand the number of all matches."""
        check_page(limit, offset)
        now = self._context.clock.now()
        page = await self._context.store.sessions(
            SessionQuery(
                now=now,
                user_id=user_id,
                client_id=client_id,
                statuses=statuses,
                excluded=excluded,
                limit=limit,
                offset=offset,
                count=count,
            )
        )
        settled = [lifecycle.settle(held.session, held.cutoffs, now) for held in page.items]
        return SessionList(settled, page.total)

    async def search(
        self,
        which: SessionFilter,
        *,
        statuses: frozenset[Status] | None = None,
        limit: int = 10,
        cursor: str | None = None,
    ) -> SessionSearch:
        """Sessions over all users by any of their facts, newest first; `cursor` goes on where a page ended.

        A page is found among a bounded number of sessions, so it may hold fewer than `limit` (1 to 500), even
        none, and still have a cursor. Raises Invalid, NotFound (a signing key).
        """
        check_page(limit)
        networks = which.networks()
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
            raise Invalid("cursor", "cursor must be one that an earlier page gave.")
        now = self._context.clock.now()
        which = await with_key(self._context.store, which, now)
        walk = SessionWalk(
            now=now,
            before=None if cursor is None else int(cursor),
            limit=limit,
            statuses=statuses,
            **which.facts(),
        )
        step = await self._context.store.walk(walk)
        settled = [lifecycle.settle(held.session, held.cutoffs, now) for held in step.items]
        items = [session for session in settled if comes_from(session, networks)]
        return SessionSearch(items, None if step.before is None else str(step.before))

    async def touch(self, session_id: str, *, activity: Activity | None = None) -> Session:
        """Record activity; at most one write in the policy's touch interval. A session that has ended comes
        back as it is. Raises NotFound."""
        session = self._settled(await self._held(session_id))
        now = self._context.clock.now()
        if not session.live or not self.touch_is_due(session, now):
            return session
        await self._context.store.touch(session_id, now=now, activity=activity)
        return await self.get(session_id)

    def touch_is_due(self, session: Session, now: int) -> bool:
        """Whether the last written activity is at least a touch interval old."""
        return now - session.last_active_at >= self._context.policy.touch_interval_seconds * 1000

    async def activate(self, session_id: str) -> Session:
        """Leave pending: every task is done. Anything else comes back unchanged. Raises NotFound,
        Conflict."""

        def change(session: Session, now: int) -> Session:
            return lifecycle.activate(session, now)

        return await self._change(session_id, change, EventType.SESSION_ACTIVATED)

    async def complete_task(self, session_id: str, key: str) -> Session:
        """One task is done; with the last one the session leaves pending. One that has ended, or has no such
        task, comes back unchanged. Raises NotFound, Conflict."""
        return await choosing.complete_task(self._context, session_id, key)

    async def set_organization(self, session_id: str, organization_id: str | None) -> Session:
        """Make an organization the active one, or none; the user's next session begins there too. Does the
        task choose-organization. A session that has ended comes back unchanged. Raises NotFound, NotAMember,
        Invalid (none, where the policy requires one), Conflict."""
        return await choosing.set_organization(self._context, session_id, organization_id)

    async def end(self, session_id: str) -> Session:
        """The user signs out; the session stays on its client. Raises NotFound, Conflict."""
        return await self._finish(session_id, Trigger.END, Instigator.USER, None)

    async def remove(self, session_id: str) -> Session:
        """The user signs out and the session leaves its client. Raises NotFound, Conflict."""
        return await self._finish(session_id, Trigger.REMOVE, Instigator.USER, None)

    async def revoke(self, session_id: str, *, note: str | None = None) -> Session:
        """The application ends a session. Repeating it, or revoking what has ended otherwise, changes nothing
        and returns the session as it is. Raises NotFound, Conflict."""
        return await self._finish(session_id, Trigger.REVOKE, Instigator.APPLICATION, note)

    async def revoke_all_of_user(
        self, user_id: str, *, note: str | None = None, except_session_id: str | None = None
    ) -> None:
        """End every session of a user, or every other than the one named, in one step, however many there
        are. Raises NotFound, also when the session to keep is not one of the user's."""
        if await self._context.store.user(user_id) is None:
            raise NotFound("user", user_id)
        if except_session_id is not None and (await self.get(except_session_id)).user_id != user_id:
            raise NotFound("session of this user", except_session_id)
        now = self._context.clock.now()
        ends = cut(self._context, SubjectKind.USER, user_id, now, note=note, spared=except_session_id)
        await cutoffs.commit(self._context, ends)

    async def revoke_all(self, *, note: str | None = None) -> None:
        """End every session of the instance in one step, however many there are."""
        now = self._context.clock.now()
        instance = await self._context.store.instance()
        subject = instance.id if instance else ""
        ends = cut(self._context, SubjectKind.INSTANCE, subject, now, note=note)
        await cutoffs.commit(self._context, ends)

    async def attest(self, session_id: str, *, first: bool = False, second: bool = False) -> Session:
        """Record that the application has just verified a first or a second factor of the user, for whoever
        asks for a fresh one (claim `fva`). A session that has ended comes back as it is. Raises NotFound,
        Invalid when no factor is named, Conflict."""
        if not (first or second):
            raise Invalid("first_factor", "first_factor or second_factor must be true.")

        def change(session: Session, now: int) -> Session:
            return lifecycle.attest(session, now, first=first, second=second)

        return await self._change(session_id, change, EventType.SESSION_FACTORS_VERIFIED)

    # How it is done ----------------------------------------------------------------------------------------

    async def _held(self, session_id: str) -> Held:
        held = await self._context.store.session(session_id)
        if held is None:
            raise NotFound("session", session_id)
        return held

    def _settled(self, held: Held) -> Session:
        return lifecycle.settle(held.session, held.cutoffs, self._context.clock.now())

    async def _creation(
        self,
        session: Session,
        client_id: str | None,
        once: Once | None,
        now: int,
        place: Placement | None,
    ) -> Sequence[Operation]:
        operations: list[Operation] = []
        if client_id is None:
            operations.append(placing.on_new_client(session, now, place))
        else:
            operations += await placing.on_client(self._context, session, client_id, now, place)
        going = {o.session.id for o in operations if isinstance(o, UpdateSession)}
        operations += await self._room.made_for(session, now, going=going)
        operations.append(InsertSession(session, at_most=self._context.policy.max_sessions_per_user))
        operations += choosing.guard(session)
        operations.append(self._context.session_event(session, BY_STATUS[session.status], now))
        operations += await devices.news_of(self._context, session, now)
        if once is not None:
            operations.append(once.done(session.id, now))
        return operations

    async def _repeated(self, once: Once) -> Session | None:
        made = await self._context.made(once)
        return None if made is None else await self.get(made)

    async def _finish(
        self, session_id: str, trigger: Trigger, instigator: Instigator, note: str | None
    ) -> Session:
        def change(session: Session, now: int) -> Session:
            return lifecycle.finish(session, trigger, now, instigator=instigator, note=note)

        return await self._change(session_id, change, None)

    async def _change(
        self, session_id: str, change: Callable[[Session, int], Session], kind: EventType | None
    ) -> Session:
        """Settle, change, compare-and-swap; again where somebody else was faster."""
        for _ in range(ATTEMPTS):
            held = await self._held(session_id)
            now = self._context.clock.now()
            session = lifecycle.settle(held.session, held.cutoffs, now)
            changed = change(session, now)
            if changed is session:
                return session
            event = self._context.session_event(changed, kind or BY_STATUS[changed.status], now)
            update = UpdateSession(session=changed, expected_version=session.version)
            try:
                await self._context.store.commit([update, event])
            except Refused:
                continue
            return changed
        raise Conflict
