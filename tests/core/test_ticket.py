"""Tickets: what leads where, and what they look like."""

from __future__ import annotations

import pytest

from sojourn.core import ticket as rules
from sojourn.core.session import Actor
from sojourn.core.ticket import TRANSITIONS, TicketKind, TicketRefused, TicketStatus
from sojourn.testing.contract.tickets import make_ticket

NOW = 1_767_225_600_000


def test_a_used_or_revoked_ticket_stays_so() -> None:
    """Every status has its row, and nothing leads out of the two end states."""
    assert set(TRANSITIONS) == set(TicketStatus)
    assert [status for status, following in TRANSITIONS.items() if following] == [TicketStatus.PENDING]


@pytest.mark.parametrize("kind", TicketKind)
def test_a_pending_ticket_is_accepted_or_revoked(kind: TicketKind) -> None:
    """Both count a version and are strictly later than what was before."""
    ticket = make_ticket(kind=kind, updated_at=NOW + 5, expire_at=NOW + 10)
    used, revoked = rules.accept(ticket, "sess_a", NOW), rules.revoke(ticket, NOW)
    assert (used.status, used.session_id, used.version) == (TicketStatus.ACCEPTED, "sess_a", 2)
    assert (revoked.status, revoked.session_id, revoked.version) == (TicketStatus.REVOKED, None, 2)
    assert used.updated_at == revoked.updated_at == NOW + 6


@pytest.mark.parametrize("kind", TicketKind)
def test_every_refusal_has_the_code_of_its_kind(kind: TicketKind) -> None:
    """Used, revoked, expired to the millisecond, and not revocable: the published codes."""
    ticket = make_ticket(kind=kind, expire_at=NOW + 10)
    used, revoked = rules.accept(ticket, "sess_a", NOW + 9), rules.revoke(ticket, NOW + 99)
    for action, code in (
        (lambda: rules.accept(used, "sess_b", NOW), f"{kind.value}_already_used_code"),
        (lambda: rules.accept(revoked, "sess_b", NOW), f"{kind.value}_revoked_code"),
        (lambda: rules.accept(ticket, "sess_b", NOW + 10), "ticket_expired_code"),
        (lambda: rules.revoke(used, NOW), f"{kind.value}_cannot_be_revoked_code"),
        (lambda: rules.revoke(revoked, NOW), f"{kind.value}_cannot_be_revoked_code"),
    ):
        with pytest.raises(TicketRefused) as refused:
            action()
        assert refused.value.code == code
        assert kind.words in refused.value.detail


def test_the_resource_has_no_secret() -> None:
    """An actor token has its actor as it was given, a sign-in token none; neither has text nor hash."""
    actor = make_ticket(kind=TicketKind.ACTOR, id="act_a", actor=Actor("user_x", {"n": [1]}))
    assert actor.to_wire() == {
        "object": "actor_token",
        "id": "act_a",
        "user_id": "user_a",
        "actor": {"sub": "user_x", "n": [1]},
        "status": "pending",
        "created_at": actor.created_at,
        "updated_at": actor.updated_at,
    }
    plain = make_ticket().to_wire()
    assert (plain["object"], "actor" in plain) == ("sign_in_token", False)
    assert repr(actor.digest) not in repr(actor)
