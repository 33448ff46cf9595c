"""What a session has to choose and to do: its active organization and its tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from sojourn.core import lifecycle
from sojourn.core.errors import Conflict, Invalid, NotAMember, NotFound
from sojourn.core.events import EventType
from sojourn.core.policy import Policy
from sojourn.core.session import CHOOSE_ORGANIZATION, Session, Status
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.ports import NoteOrganization, Operation, Refused, RequireMembership, UpdateSession

_Change: TypeAlias = Callable[[Session, int], Session]


async def beginning(context: Context, user_id: str, organization_id: str | None) -> str | None:
    """The organization in which a new session begins: the one asked for, else the one that the user last
    became a member of or chose (spec CreateOrganizationMembership)."""
    if organization_id is not None:
        return organization_id
    return await context.store.next_organization(user_id)


def open_tasks(policy: Policy, organization_id: str | None, tasks: Iterable[str]) -> tuple[str, ...]:
    """The tasks of a new session: those that the application sets, and what the policy requires."""
    given = tuple(dict.fromkeys(tasks))
    if policy.require_organization and organization_id is None and CHOOSE_ORGANIZATION not in given:
        return (*given, CHOOSE_ORGANIZATION)
    return given


def guard(session: Session) -> Sequence[Operation]:
    """What must hold at the commit that makes an organization the active one of a session."""
    organization_id = session.last_active_organization_id
    if organization_id is None:
        return ()
    return (RequireMembership(organization_id=organization_id, user_id=session.user_id),)


async def stranger(context: Context, organization_id: str, user_id: str) -> NotFound | NotAMember:
    """Why somebody cannot act in an organization (wire/backend-api.md section 7, question 10)."""
    if await context.store.organization(organization_id) is None:
        return NotFound("organization", organization_id)
    return NotAMember(f"The user {user_id} is not a member of the organization {organization_id}.")


async def set_organization(context: Context, session_id: str, organization_id: str | None) -> Session:
    """As `Sessions.set_organization`."""
    if organization_id is None and context.policy.require_organization:
        raise Invalid("organization_id", "This instance requires every session to have an organization.")

    def change(session: Session, now: int) -> Session:
        return lifecycle.choose_organization(session, organization_id, now)

    async def refused(session: Session) -> None:
        if organization_id is not None:
            member = await context.store.membership(organization_id, session.user_id)
            if member is None:
                raise await stranger(context, organization_id, session.user_id)

    for _ in range(ATTEMPTS):
        before, changed, now = await _next(context, session_id, change)
        if changed is before:
            return before
        operations = [
            *_changed(context, before, changed, now),
            *guard(changed),
            NoteOrganization(organization_id=organization_id, user_id=changed.user_id),
        ]
        if before.last_active_organization_id != organization_id:
            kind = EventType.SESSION_ORGANIZATION_CHANGED
            operations.append(context.session_event(changed, kind, now))
        try:
            await context.store.commit(operations)
        except Refused:
            await refused(before)
            continue
        return changed
    raise Conflict


async def complete_task(context: Context, session_id: str, key: str) -> Session:
    """As `Sessions.complete_task`."""

    def change(session: Session, now: int) -> Session:
        return lifecycle.complete_task(session, key, now)

    for _ in range(ATTEMPTS):
        before, changed, now = await _next(context, session_id, change)
        if changed is before:
            return before
        completed = context.session_event(changed, EventType.SESSION_TASK_COMPLETED, now)
        try:
            await context.store.commit([*_changed(context, before, changed, now), completed])
        except Refused:
            continue
        return changed
    raise Conflict


async def _next(context: Context, session_id: str, change: _Change) -> tuple[Session, Session, int]:
    """A session as it stands, what becomes of it, and when."""
    held = await context.store.session(session_id)
    if held is None:
        raise NotFound("session", session_id)
    now = context.clock.now()
    session = lifecycle.settle(held.session, held.cutoffs, now)
    return session, change(session, now), now


def _changed(context: Context, before: Session, changed: Session, now: int) -> list[Operation]:
    """The operations of a change, with the event that a session has left pending if it has."""
    operations: list[Operation] = [UpdateSession(session=changed, expected_version=before.version)]
    if before.status is Status.PENDING and changed.status is Status.ACTIVE:
        operations.append(context.session_event(changed, EventType.SESSION_ACTIVATED, now))
    return operations
