"""The life cycle of a session: one total table of changes, and `settle`, which tells the status *now*.

Everything is decided from values: a session, the cutoffs that cover it and an instant. Whether a sweeper has
run makes no difference to any answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from sojourn.core.policy import DAY, Policy
from sojourn.core.session import (
    CHOOSE_ORGANIZATION,
    Activity,
    Actor,
    Ending,
    Instigator,
    Reason,
    Session,
    Status,
)

ABANDONMENT_SECONDS = 30 * DAY
"""Default distance of `abandon_at` from the creation (wire/backend-api.md section 2.5)."""


class Trigger(StrEnum):
    """What can happen to a session that exists."""

    ACTIVATE = "activate"
    TOUCH = "touch"
    END = "end"
    REMOVE = "remove"
    REVOKE = "revoke"
    REPLACE = "replace"
    LIFETIME = "maximum lifetime"
    INACTIVITY = "inactivity"
    ABANDONMENT = "abandonment"


_ENDINGS: dict[Trigger, Status] = {
    Trigger.END: Status.ENDED,
    Trigger.REMOVE: Status.REMOVED,
    Trigger.REVOKE: Status.REVOKED,
    Trigger.REPLACE: Status.REPLACED,
    Trigger.LIFETIME: Status.EXPIRED,
    Trigger.INACTIVITY: Status.EXPIRED,
    Trigger.ABANDONMENT: Status.ABANDONED,
}

INITIAL: tuple[Status, ...] = (Status.ACTIVE, Status.PENDING)
"""A session is created in one of these: pending where tasks are open."""

TRANSITIONS: dict[Status, dict[Trigger, Status]] = {
    Status.PENDING: {Trigger.ACTIVATE: Status.ACTIVE, Trigger.TOUCH: Status.PENDING, **_ENDINGS},
    Status.ACTIVE: {Trigger.ACTIVATE: Status.ACTIVE, Trigger.TOUCH: Status.ACTIVE, **_ENDINGS},
    # End states absorb: nothing leads out of them.
    Status.ENDED: {},
    Status.REMOVED: {},
    Status.REVOKED: {},
    Status.REPLACED: {},
    Status.EXPIRED: {},
    Status.ABANDONED: {},
}
"""Status -> trigger -> next status. What is not listed changes nothing."""


class SubjectKind(StrEnum):
    """Whose sessions a cutoff ends."""

    USER = "user"
    CLIENT = "client"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """One row that ends every session of its subject created up to here.

    `at` is the not-before instant (Unix ms) for whoever only knows instants (tokens, other systems). What
    decides is `sequence`: sessions with a creation sequence up to it are covered, whatever any clock said.
    """

    kind: SubjectKind
    subject: str
    at: int
    status: Status
    reason: Reason
    instigator: Instigator
    note: str | None = None
    sequence: int = 0
    spared: str | None = None
    """The id of the one session that lives on: whoever ends all others keeps the one in hand."""

    def covers(self, session: Session) -> bool:
        """Whether the session was created before the cutoff, and is not the one that it spares."""
        return session.sequence <= self.sequence and session.id != self.spared


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """For one session, the first cutoff of its user, its client and its instance that covers it."""

    user: Cutoff | None = None
    client: Cutoff | None = None
    instance: Cutoff | None = None

    def __iter__(self) -> Iterator[Cutoff]:
        """Those that are set; the narrowest first."""
        return (c for c in (self.user, self.client, self.instance) if c is not None)


NO_CUTOFFS = Cutoffs()


def create(
    *,
    session_id: str,
    user_id: str,
    client_id: str,
    policy: Policy,
    now: int,
    actor: Actor | None = None,
    organization_id: str | None = None,
    activity: Activity | None = None,
    tasks: tuple[str, ...] | None = None,
    application: str | None = None,
) -> Session:
    """A new session with its deadlines fixed from `policy` (already narrowed for an actor) at `now` (ms).

    Whoever signs a user in vouches for a first factor; an actor has shown none of the user's.
    """
    expire_at = now + policy.lifetime_seconds * 1000
    if policy.abandonment_seconds is None:
        abandon_at = max(now + ABANDONMENT_SECONDS * 1000, expire_at)
    else:
        abandon_at = now + policy.abandonment_seconds * 1000
    return Session(
        id=session_id,
        user_id=user_id,
        client_id=client_id,
        status=Status.PENDING if tasks else Status.ACTIVE,
        last_active_at=now,
        expire_at=expire_at,
        abandon_at=abandon_at,
        updated_at=now,
        created_at=now,
        actor=actor,
        last_active_organization_id=organization_id,
        latest_activity=activity,
        tasks=tasks or None,
        inactivity_seconds=policy.inactivity_seconds,
        first_factor_at=now if actor is None else None,
        application=application,
    )


def settle(session: Session, cutoffs: Cutoffs, now: int) -> Session:
    """The session as it truly stands at `now` (Unix ms).

    The earliest end that has come about names the status: a passed deadline counts from its own instant, a
    cutoff from its not-before instant, at once and whatever `now` says. On a tie the maximum lifetime wins,
    then inactivity, then a cutoff, then abandonment.
    """
    if session.ending is not None:
        return session
    best = _first_deadline(session, now)
    if cutoffs is not NO_CUTOFFS:
        for cutoff in cutoffs:
            if not cutoff.covers(session):
                continue
            # A cutoff before the creation (a clock that stepped back) ends the session at its creation.
            rank = (max(cutoff.at, session.created_at), _RANK_CUTOFF)
            if best is None or rank < best[0]:
                best = (rank, cutoff.status, cutoff.reason, cutoff.instigator, cutoff.note)
    if best is None:
        return session
    (at, _), status, reason, instigator, note = best
    return _ended(session, status, Ending(at=at, reason=reason, instigator=instigator, note=note), at)


def activate(session: Session, now: int) -> Session:
    """Leave pending: the tasks are done. Anything but a pending session comes back unchanged."""
    if session.status is not Status.PENDING:
        return session
    status = TRANSITIONS[session.status][Trigger.ACTIVATE]
    return _changed(session, now, status=status, tasks=None)


def attest(session: Session, now: int, *, first: bool, second: bool) -> Session:
    """Record that factors were verified at `now` (ms). A session that has ended comes back unchanged."""
    if not session.live:
        return session
    return _changed(
        session,
        now,
        first_factor_at=now if first else session.first_factor_at,
        second_factor_at=now if second else session.second_factor_at,
    )


def complete_task(session: Session, key: str, now: int) -> Session:
    """Take a task from a live session; with the last one it leaves pending. Without that task it comes back
    unchanged."""
    if not session.live or key not in (session.tasks or ()):
        return session
    return _changed(session, now, **_without(session, key))


def choose_organization(session: Session, organization_id: str | None, now: int) -> Session:
    """Make an organization the active one of a live session, or none. Choosing one does the task of that
    name."""
    if not session.live:
        return session
    chosen = organization_id is not None and CHOOSE_ORGANIZATION in (session.tasks or ())
    if session.last_active_organization_id == organization_id and not chosen:
        return session
    changes = _without(session, CHOOSE_ORGANIZATION) if chosen else {}
    return _changed(session, now, last_active_organization_id=organization_id, **changes)


def touch(session: Session, now: int, *, activity: Activity | None = None) -> Session:
    """Record activity at `now` (ms); never backwards, never on an ended session, never a change of state."""
    if Trigger.TOUCH not in TRANSITIONS[session.status]:
        return session
    return replace(
        session,
        last_active_at=max(session.last_active_at, now),
        latest_activity=activity or session.latest_activity,
    )


def finish(
    session: Session,
    trigger: Trigger,
    now: int,
    *,
    reason: Reason | None = None,
    instigator: Instigator,
    note: str | None = None,
) -> Session:
    """End a settled session by END, REMOVE, REVOKE or REPLACE. One that has ended comes back unchanged."""
    status = TRANSITIONS[session.status].get(trigger)
    if status is None:
        return session
    at = max(now, session.created_at)
    ending = Ending(at=at, reason=reason or _DEFAULT_REASON[trigger], instigator=instigator, note=note)
    return _ended(session, status, ending, now)


def next_deadline(session: Session) -> int | None:
    """The earliest instant (ms) at which a live session could end by itself; None for an ended one.

    A touch may move the inactivity deadline later, never earlier, so a stored value stays a lower bound.
    """
    if session.ending is not None:
        return None
    due = min(session.expire_at, session.abandon_at)
    if session.inactivity_seconds is not None:
        due = min(due, session.last_active_at + session.inactivity_seconds * 1000)
    return due


_DEFAULT_REASON = {
    Trigger.END: Reason.SIGNED_OUT,
    Trigger.REMOVE: Reason.REMOVED,
    Trigger.REVOKE: Reason.REVOKED,
    Trigger.REPLACE: Reason.REPLACED,
}
_RANK_LIFETIME, _RANK_INACTIVITY, _RANK_CUTOFF, _RANK_ABANDONMENT = range(4)

_End = tuple[tuple[int, int], Status, Reason, Instigator, str | None]


def _first_deadline(session: Session, now: int) -> _End | None:
    best: _End | None = None
    if session.expire_at <= now:
        rank = (session.expire_at, _RANK_LIFETIME)
        best = (rank, Status.EXPIRED, Reason.MAXIMUM_LIFETIME, Instigator.POLICY, None)
    if session.inactivity_seconds is not None:
        idle_at = session.last_active_at + session.inactivity_seconds * 1000
        rank = (idle_at, _RANK_INACTIVITY)
        if idle_at <= now and (best is None or rank < best[0]):
            best = (rank, Status.EXPIRED, Reason.INACTIVITY, Instigator.POLICY, None)
    if session.abandon_at <= now:
        rank = (session.abandon_at, _RANK_ABANDONMENT)
        if best is None or rank < best[0]:
            best = (rank, Status.ABANDONED, Reason.ABANDONMENT, Instigator.POLICY, None)
    return best


def _without(session: Session, key: str) -> dict[str, object]:
    tasks = tuple(task for task in session.tasks or () if task != key)
    if tasks:
        return {"tasks": tasks}
    return {"tasks": None, "status": TRANSITIONS[session.status].get(Trigger.ACTIVATE, session.status)}


def _ended(session: Session, status: Status, ending: Ending, now: int) -> Session:
    return _changed(session, now, status=status, ending=ending)


def _changed(session: Session, now: int, **changes: object) -> Session:
    return replace(
        session,
        # Strictly later than the change before, even where the clock stood still or stepped back.
        updated_at=max(now, session.updated_at + 1),
        version=session.version + 1,
        **changes,  # pyright: ignore[reportArgumentType]  # names and types are those of the callers above
    )
