"""The event log and the memory of idempotency keys: what happens, and the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.events import Event


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in reading order. `position` is where to go on; it is set even when the page is empty."""

    events: Sequence[Event]
    position: str


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


LogOperation: TypeAlias = AppendEvent | InsertOnce


class LogStore(Protocol):
    """The verbs for the log."""

    async def events(self, after: str | None, limit: int) -> EventPage:
        """Events behind a position (None: from the oldest kept).

        Nothing ever becomes readable behind a position already read; to keep that, a store may hold events
        back while an older change is still on its way. Raises PositionLost for a position of
        another epoch, a malformed one, or one whose successors have been purged.
        """
        ...

    async def events_of_session(self, session_id: str, limit: int) -> Sequence[Event]:
        """The newest events that name a session, in reading order."""
        ...

    async def end_of_events(self) -> str:
        """The position behind the newest event."""
        ...

    async def position_back(self, count: int) -> str:
        """The position that has the newest `count` events behind it, or all that are kept where they are
        fewer: for a reader that begins with the last ones."""
        ...

    async def wait_for_commit(self, seconds: float) -> None:
        """Until something has been committed through this very store, at most so long. Nothing more than a
        hint to read now: other processes commit too, and it may return for no reason."""
        ...

    async def once(self, digest: bytes) -> InsertOnce | None:
        """What was done under an idempotency key."""
        ...
