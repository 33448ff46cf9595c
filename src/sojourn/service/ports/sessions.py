"""Sessions, clients and cutoffs: what is asked, what happens, and the verbs for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.client import Client
from sojourn.core.lifecycle import Cutoff, Cutoffs
from sojourn.core.session import Activity, Session, Status

# What is asked ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A session as stored, with the cutoffs that cover it: all that `settle` needs, from one read."""

    session: Session
    cutoffs: Cutoffs


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Sessions, newest first in the order of creation.

    `statuses` are compared with the status settled at `now`. `limit` is from 1 to 500. `count`: also tell how
    many there are in all.
    """

    now: int
    user_id: str | None = None
    client_id: str | None = None
    statuses: frozenset[Status] | None = None
    excluded: frozenset[Status] = frozenset()
    limit: int = 10
    offset: int = 0
    count: bool = False


@dataclass(frozen=True, slots=True)
class SessionPage:
    """`total` counts all matches, not only this page; None where it was not asked for."""

    items: Sequence[Held]
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWalk:
    """Sessions by any of their facts, newest first in the order of creation, in bounded steps.

    A step looks at `window` sessions before the sequence `before` (None: from the newest on) of the user or
    client, or of all where neither is named, and gives at most `limit` of those that match. Ranges of
    instants (ms) include their start and not their end. `statuses` are those settled at `now`.
    """

    now: int
    before: int | None = None
    window: int = 10_000
    limit: int = 100
    user_id: str | None = None
    client_id: str | None = None
    organization_id: str | None = None
    actor: str | None = None
    """The `sub` of who acts as the user."""
    application: str | None = None
    statuses: frozenset[Status] | None = None
    created_from: int | None = None
    created_before: int | None = None
    active_from: int | None = None
    active_before: int | None = None


@dataclass(frozen=True, slots=True)
class WalkStep:
    """What one step found. `before` is where the next one goes on; None: there is nothing further."""

    items: Sequence[Held]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientQuery:
    """Clients, newest first in the order of creation."""

    limit: int = 10
    offset: int = 0
    count: bool = False


@dataclass(frozen=True, slots=True)
class ClientPage:
    """As SessionPage, of clients."""

    items: Sequence[Client]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Overdue:
    """What a sweep has to do next: sessions that may have ended but are stored as live, in a bounded
    batch."""

    sessions: Sequence[Held]


# What happens ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InsertSession:
    """Store a new session and give it its place in the order of creation.

    With `at_most`, Refused.LIMIT when the user would then hold more live sessions (as settled at its
    creation) than that, whatever is committed at the same time.

    Refused (Refused.USER_MISSING, USER_BANNED, USER_LOCKED, CLIENT_MISSING) unless at the commit its user
    exists and is neither banned nor locked and its client exists. Also notes `last_sign_in_at` on the user.
    """

    session: Session
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSession:
    """Replace the state of a stored session, if it is live and still at `expected_version` (else
    Refused.CHANGED).

    Writes status, ending, tasks, organization, factors, version and `updated_at`; leaves what a touch writes.
    With `expected_active_at` the last activity must be that one too: an end by inactivity loses to a touch.
    """

    session: Session
    expected_version: int
    expected_active_at: int | None = None


@dataclass(frozen=True, slots=True)
class InsertClient:
    """Store a new client."""

    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateClient:
    """Replace a stored client if it is still at `expected_version` (else Refused.CHANGED)."""

    client: Client
    expected_version: int


@dataclass(frozen=True, slots=True)
class InsertCutoff:
    """End all sessions of a subject created up to now. The store sets `sequence` to the newest creation and
    `at` no earlier than the subject's last cutoff."""

    cutoff: Cutoff


SessionOperation: TypeAlias = InsertSession | UpdateSession | InsertClient | UpdateClient | InsertCutoff


class SessionStore(Protocol):
    """The verbs for sessions and clients."""

    async def session(self, session_id: str) -> Held | None:
        """One session with the cutoffs that cover it, by one indexed read; None when it is not stored."""
        ...

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """The sessions that a query describes, each with its cutoffs."""
        ...

    async def walk(self, walk: SessionWalk) -> WalkStep:
        """One step through the sessions that a walk describes, each with its cutoffs."""
        ...

    async def last_cutoff_at(self, user_id: str) -> int:
        """The latest `at` of the cutoffs of a user and of the instance, whomever they cover; 0 for none."""
        ...

    async def client(self, client_id: str) -> Client | None:
        """One client."""
        ...

    async def clients(self, query: ClientQuery) -> ClientPage:
        """The clients that a query describes."""
        ...

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """Record activity on a session that is live at `now`, its cutoffs included: its own columns only, no
        version, no event, and on its user the day. False, with nothing changed, when it is not live."""
        ...

    async def overdue(self, now: int, limit: int) -> Overdue:
        """At most `limit` sessions stored as live that may have ended: a deadline that may have passed, or an
        unswept cutoff. Moves bookkeeping on for those that turn out to live, so that every call makes
        progress and a batch that is empty means that nothing is left to do."""
        ...
