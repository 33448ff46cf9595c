"""What a store tells about itself to whoever operates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """A store's own account. `durable`: an acknowledged change survives a power cut. Sizes are bytes, None
    where there is no such thing; `overdue` counts, up to a bound, sessions stored as live that have ended."""

    engine: str
    durability: str
    durable: bool
    schema: int
    size_bytes: int | None
    log_bytes: int | None
    free_bytes: int | None
    sessions: int
    """Sessions ever created."""
    overdue: int
    newest_event_at: int | None
    log_held_ms: int | None = None
    """For how long the oldest change that is still on its way has held events back; None: nothing does."""
    standbys: int | None = None
    """Standbys that confirm commits now; None where there is no such thing, or it may not be seen."""
    connections: str | None = None
    """Connections in use of those that there may be."""


class ReportStore(Protocol):
    """The verb for operating."""

    async def report(self, now: int) -> StoreReport:
        """The store's account at an instant (ms)."""
        ...
