"""Contract: tickets are found by their hash, change by compare-and-swap, and go when they are old."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sojourn.core import ticket as rules
from sojourn.core.session import Actor
from sojourn.core.ticket import Ticket, TicketKind, TicketStatus
from sojourn.service.ports import AppendEvent, InsertTicket, Refused, Store, UpdateTicket
from sojourn.testing.contract.base import DAY, NOW, ContractBase, event_ids, made, make_event, refusal


def make_ticket(name: str = "a", **changes: Any) -> Ticket:
    """A pending sign-in token of user_a whose text is its name."""
    values: dict[str, Any] = {
        "id": f"sit_{name}",
        "kind": TicketKind.SIGN_IN,
        "user_id": "user_a",
        "digest": sha256(name.encode()).digest(),
        "created_at": NOW,
        "updated_at": NOW,
        "expire_at": NOW + DAY,
    }
    return Ticket(**{**values, **changes})


def accepted(ticket: Ticket, session_id: str = "sess_a", at: int = NOW) -> UpdateTicket:
    """The change that uses a ticket up."""
    return UpdateTicket(ticket=rules.accept(ticket, session_id, at), expected_version=ticket.version)


class TicketContract(ContractBase):
    """`ticket`, `ticket_by`, `purge_tickets` and the operations on tickets."""

    async def test_tickets_are_found_by_id_and_digest(self, store: Store) -> None:
        """Every field survives, of both kinds; another id or digest finds nothing."""
        actor = Actor("user_x", {"note": [1, None, {"a": "\u00e9"}], "iss": "https://x.test"})
        full = make_ticket(
            "a", id="act_a", kind=TicketKind.ACTOR, actor=actor, session_lifetime_seconds=1800, version=3
        )
        plain = make_ticket("b", organization_id="org_a", session_id="sess_a", status=TicketStatus.ACCEPTED)
        await store.commit([InsertTicket(full), InsertTicket(plain)])
        for ticket in (full, plain):
            assert await store.ticket(ticket.id) == ticket
            assert await store.ticket_by(ticket.digest) == ticket
        assert await store.ticket("act_none") is None
        for other in (b"", b"\0" * 32, full.digest[:-1], full.digest + b"\0"):
            assert await store.ticket_by(other) is None

    async def test_a_stored_actor_is_nobody_elses(self, store: Store) -> None:
        """What the caller does with the actor's members later changes nothing stored."""
        members: dict[str, object] = {"list": [1]}
        await store.commit([InsertTicket(make_ticket(actor=Actor("user_x", members)))])
        members["list"] = None
        found = await store.ticket("sit_a")
        assert found is not None
        assert found.actor == Actor("user_x", {"list": [1]})

    async def test_an_update_of_a_ticket_writes_its_state(self, store: Store) -> None:
        """Status, session, version and instant are written; what it is for stays."""
        ticket = make_ticket()
        await store.commit([InsertTicket(ticket)])
        change = accepted(ticket)
        meddling = replace(change.ticket, user_id="user_b", digest=b"x", expire_at=0, kind=TicketKind.ACTOR)
        await store.commit([replace(change, ticket=meddling)])
        assert await store.ticket("sit_a") == change.ticket
        assert await store.ticket_by(ticket.digest) == change.ticket
        assert await store.ticket_by(b"x") is None

    async def test_a_ticket_of_another_version_is_not_changed(self, store: Store) -> None:
        """Neither one that was changed meanwhile nor one that is not there; and nothing beside it either."""
        ticket = make_ticket()
        await store.commit([InsertTicket(ticket)])
        await store.commit([accepted(ticket)])
        late = UpdateTicket(ticket=rules.revoke(ticket, NOW), expected_version=1)
        refused = await refusal(store, AppendEvent(make_event("evt_a")), late)
        assert (refused.why, refused.operation) == (Refused.CHANGED, late)
        assert (await refusal(store, accepted(make_ticket("b")))).why == Refused.CHANGED
        found = await store.ticket("sit_a")
        assert found is not None
        assert found.status is TicketStatus.ACCEPTED
        assert await event_ids(store) == []

    async def test_of_racing_uses_of_a_ticket_one_wins(self, store: Store) -> None:
        """However many accept it at once, one does, and that one stays."""
        ticket = make_ticket()
        await store.commit([InsertTicket(ticket)])
        won = await asyncio.gather(*(made(store, accepted(ticket, f"sess_{n}")) for n in range(50)))
        assert won.count(True) == 1
        found = await store.ticket("sit_a")
        assert found is not None
        assert found.session_id == f"sess_{won.index(True)}"

    async def test_old_tickets_go(self, store: Store) -> None:
        """Strictly before the instant, by when they were used up or expired; the others stay."""
        used, revoked = make_ticket("used"), make_ticket("revoked")
        tickets = [
            make_ticket("expired", expire_at=NOW - 1),
            make_ticket("pending", expire_at=NOW, created_at=NOW - DAY),
            used,
            revoked,
        ]
        await store.commit([InsertTicket(ticket) for ticket in tickets])
        await store.commit([accepted(used, at=NOW + 5)])
        revocation = UpdateTicket(ticket=rules.revoke(revoked, NOW + 9), expected_version=1)
        await store.commit([revocation])
        assert await store.purge_tickets(before=NOW - 1, limit=9) == 0
        assert await store.purge_tickets(before=NOW, limit=9) == 1
        assert await store.ticket("sit_expired") is None
        assert await store.ticket_by(tickets[0].digest) is None
        assert await store.purge_tickets(before=NOW + 9, limit=9) == 2
        assert await store.ticket("sit_revoked") == revocation.ticket

    async def test_tickets_go_in_bounded_steps(self, store: Store) -> None:
        """Never more than the limit at once, and in the end all."""
        await store.commit([InsertTicket(make_ticket(str(n), expire_at=NOW - n)) for n in range(5)])
        assert [await store.purge_tickets(before=NOW + 1, limit=2) for _ in range(4)] == [2, 2, 1, 0]
