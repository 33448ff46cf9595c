"""Stores that break a promise about tickets, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.ticket import Ticket, TicketStatus
from sojourn.service.ports import InsertTicket, Operation, UpdateTicket
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks


@breaks("test_tickets_are_found_by_id_and_digest")
class FindsByTheStart(MemoryStore):
    """The beginning of a digest is enough."""

    async def ticket_by(self, digest: bytes) -> Ticket | None:
        found = (ticket for ticket in self._tables.tickets.values() if ticket.digest.startswith(digest))
        return next(found, None)


@breaks("test_a_stored_actor_is_nobody_elses")
class SharesActors(MemoryStore):
    """The members of an actor are kept by reference."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, InsertTicket):
                self._tables.tickets[operation.ticket.id] = operation.ticket


@breaks("test_an_update_of_a_ticket_writes_its_state")
class ReplacesTickets(MemoryStore):
    """An update replaces the whole ticket."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateTicket):
                self._tables.tickets[operation.ticket.id] = operation.ticket


class IgnoresTheVersion(MemoryStore):
    """The last to use a ticket wins."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            stored = (
                self._tables.tickets.get(operation.ticket.id) if isinstance(operation, UpdateTicket) else None
            )
            if stored is not None and isinstance(operation, UpdateTicket):
                self._tables.tickets[stored.id] = replace(stored, version=operation.expected_version)
        await super().commit(operations)


@breaks("test_a_ticket_of_another_version_is_not_changed")
class RevokesWhatWasUsed(IgnoresTheVersion):
    """A ticket can be revoked after it was used."""


@breaks("test_of_racing_uses_of_a_ticket_one_wins")
class WorksOften(IgnoresTheVersion):
    """A ticket can be used again."""


@breaks("test_old_tickets_go")
class KeepsWhatWasUsed(MemoryStore):
    """Only what has expired goes."""

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        kept = {t.id: t for t in self._tables.tickets.values() if t.status is not TicketStatus.PENDING}
        for ticket in kept.values():
            del self._tables.tickets[ticket.id]
        gone = await super().purge_tickets(before=before, limit=limit)
        self._tables.tickets.update(kept)
        return gone


@breaks("test_tickets_go_in_bounded_steps")
class PurgesTicketsAtOnce(MemoryStore):
    """Every old ticket goes at once."""

    async def purge_tickets(self, *, before: int, limit: int) -> int:
        return await super().purge_tickets(before=before, limit=10**9)
