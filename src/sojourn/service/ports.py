"""The ports: what the services ask of a store, a clock and a source of ids.

A store has few verbs. *Which* rows is said by queries, *what* happens by operations; one `commit` takes any
number of operations and does all of them or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.client import Client
from sojourn.core.directory import IdentifierKind, User
from sojourn.core.events import Event
from sojourn.core.ids import Prefix
from sojourn.core.keys import ApiKey, Instance, StoredKey
from sojourn.core.lifecycle import Cutoff, Cutoffs
from sojourn.core.session import Activity, Session, Status


class Clock(Protocol):
    """Time as the services see it."""

    def now(self) -> int:
        """Unix ms. Never goes back within a process: what has expired stays expired."""
        ...

    def wall(self) -> int:
        """Unix ms as other machines see it: for the times that tokens carry."""
        ...


class Entropy(Protocol):
    """Ids and random bytes."""

    def id(self, prefix: Prefix, now: int) -> str:
        """A new id; never the same twice."""
        ...

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientQuery:
    """Clients, newest first in the order of creation."""

    limit: int = 10
    offset: int = 0
    count: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Users in the order of creation. An empty tuple of ids or identifiers finds nobody; None does not
    filter."""

    ids: tuple[str, ...] | None = None
    identifiers: tuple[tuple[IdentifierKind, str], ...] | None = None
    newest_first: bool = True
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SessionPage:
    """`total` counts all matches, not only this page; None where it was not asked for."""

    items: Sequence[Held]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class ClientPage:
    """As SessionPage, of clients."""

    items: Sequence[Client]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in reading order. `position` is where to go on; it is set even when the page is empty."""

    events: Sequence[Event]
    position: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """What a sweep has to do next: sessions that may have ended but are stored as live, in a bounded
    batch."""

    sessions: Sequence[Held]


# What happens ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InsertSession:
    """Store a new session and give it its place in the order of creation.

    Refused (Refused.USER_MISSING, USER_BANNED, CLIENT_MISSING) unless at the commit its user exists and is
    not banned and its client exists. Also notes `last_sign_in_at` on the user.
    """

    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSession:
    """Replace the state of a stored session, if it is live and still at `expected_version` (else
    Refused.CHANGED).

    Writes status, ending, tasks, organization, version and `updated_at`; leaves what a touch writes. With
    `expected_active_at` the last activity must be that one too: an end by inactivity loses to a touch.
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
class InsertUser:
    """Store a new user. Refused.IDENTIFIER_TAKEN when an identifier belongs to somebody."""

    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateUser:
    """Replace a stored user, all identifiers included, if still at `expected_version` (else
    Refused.CHANGED)."""

    user: User
    expected_version: int


@dataclass(frozen=True, slots=True)
class DeleteUser:
    """Remove a user and free the identifiers. Refused.USER_MISSING when there is none."""

    user_id: str


@dataclass(frozen=True, slots=True)
class InsertCutoff:
    """End all sessions of a subject created up to now. The store sets `sequence` to the newest creation and
    `at` no earlier than the subject's last cutoff."""

    cutoff: Cutoff


@dataclass(frozen=True, slots=True)
class AppendEvent:
    """Append to the log; readable in order once committed."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertOnce:
    """Remember that a creation was done under an idempotency key. Refused.REPEATED when it already was."""

    digest: bytes
    fingerprint: bytes
    resource_id: str
    at: int


@dataclass(frozen=True, slots=True)
class InsertApiKey:
    """Store an API key's hash. Refused.REPEATED when that hash is stored already."""

    key: ApiKey


@dataclass(frozen=True, slots=True)
class PutStoredKey:
    """Insert or replace a stored private key by its kid."""

    key: StoredKey


@dataclass(frozen=True, slots=True)
class PutInstance:
    """Insert or replace the one instance row."""

    instance: Instance


Operation: TypeAlias = (
    InsertSession
    | UpdateSession
    | InsertClient
    | UpdateClient
    | InsertUser
    | UpdateUser
    | DeleteUser
    | InsertCutoff
    | AppendEvent
    | InsertOnce
    | InsertApiKey
    | PutStoredKey
    | PutInstance
)


class Refused(Exception):  # an outcome that the caller must handle, not a fault
    """A commit was not made, because of one of its operations; nothing of it has happened."""

    USER_MISSING = "user_missing"
    USER_BANNED = "user_banned"
    CLIENT_MISSING = "client_missing"
    CHANGED = "changed"
    IDENTIFIER_TAKEN = "identifier_taken"
    REPEATED = "repeated"

    def __init__(self, why: str, operation: Operation, detail: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.operation = operation
        self.detail = detail


class Store(Protocol):
    """Where sessions live. Every verb may raise Unavailable (nothing was changed, or it is unknown whether a
    commit was made: it was never acknowledged).

    Reads see everything that was acknowledged before they began.
    """

    async def session(self, session_id: str) -> Held | None:
        """One session with the cutoffs that cover it, by one indexed read; None when it is not stored."""
        ...

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """The sessions that a query describes, each with its cutoffs."""
        ...

    async def client(self, client_id: str) -> Client | None:
        """One client."""
        ...

    async def clients(self, query: ClientQuery) -> ClientPage:
        """The clients that a query describes."""
        ...

    async def user(self, user_id: str) -> User | None:
        """One user."""
        ...

    async def user_by(self, kind: IdentifierKind, value: str) -> User | None:
        """The user to whom an identifier belongs."""
        ...

    async def users(self, query: UserQuery) -> Sequence[User]:
        """The users that a query describes."""
        ...

    async def api_key(self, digest: bytes) -> ApiKey | None:
        """The key whose text has this SHA-256, revoked ones included."""
        ...

    async def api_keys(self) -> Sequence[ApiKey]:
        """All API keys, oldest first; there are never many."""
        ...

    async def stored_keys(self) -> Sequence[StoredKey]:
        """All private keys at rest, oldest first."""
        ...

    async def instance(self) -> Instance | None:
        """The instance, None in an empty store."""
        ...

    async def once(self, digest: bytes) -> InsertOnce | None:
        """What was done under an idempotency key."""
        ...

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one transaction and return when that is durable.

        Raises Refused, with nothing changed, when one of them does not apply.
        """
        ...

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        """Record activity on a session that is live at `now`, its cutoffs included: its own columns only, no
        version, no event, and on its user the day. False, with nothing changed, when it is not live."""
        ...

    async def events(self, after: str | None, limit: int) -> EventPage:
        """Events behind a position (None: from the oldest kept).

        Nothing ever becomes readable behind a position already read. Raises PositionLost for a position of
        another epoch, a malformed one, or one whose successors have been purged.
        """
        ...

    async def end_of_events(self) -> str:
        """The position behind the newest event."""
        ...

    async def overdue(self, now: int, limit: int) -> Overdue:
        """At most `limit` sessions stored as live that may have ended: a deadline that may have passed, or an
        unswept cutoff. Moves bookkeeping on for those that turn out to live, so that every call makes
        progress and a batch that is empty means that nothing is left to do."""
        ...

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """Delete at most `limit` each of sessions that ended before an instant (with clients that hold none
        any more and were last changed before it too), events and idempotency records. How many rows went."""
        ...

    async def scrub(self) -> None:
        """Remove what was replaced or deleted from the storage itself, where it may outlast the commit that
        replaced it: in free space, in a log. For after a secret has been encrypted or destroyed."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and release the storage."""
        ...
