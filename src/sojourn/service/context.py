"""What every service works with, and the id of the request it works for."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from sojourn.core.errors import IdempotencyMismatch, Invalid
from sojourn.core.events import Event, EventType, of_session
from sojourn.core.ids import Prefix
from sojourn.core.plans import Plans
from sojourn.core.policy import Policy
from sojourn.core.roles import Roles
from sojourn.core.session import Session
from sojourn.service.ports import AppendEvent, Clock, Entropy, InsertOnce, Store

request_id: ContextVar[str | None] = ContextVar("sojourn_request_id", default=None)
"""The trace id of the request in hand; stands in events and in every log line."""

ATTEMPTS = 8
"""How often a change is tried again after losing a compare-and-swap. Each loss means that somebody else won,
so this many in a row on one session is a storm, answered with Conflict rather than with waiting."""

PAGE_LIMIT = 500
"""The longest page of any list."""


def check_page(limit: int, offset: int = 0) -> None:
    """Bound a list. Raises Invalid naming the parameter."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise Invalid("limit", f"limit must be a whole number from 1 to {PAGE_LIMIT}.")
    if offset < 0:
        raise Invalid("offset", "offset must be a whole number, 0 or more.")


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key: `digest` names key and caller, `fingerprint` the request; both are SHA-256."""

    digest: bytes
    fingerprint: bytes

    def done(self, resource_id: str, now: int) -> InsertOnce:
        """The operation that remembers what was made."""
        return InsertOnce(digest=self.digest, fingerprint=self.fingerprint, resource_id=resource_id, at=now)


@dataclass(slots=True)
class PolicyInForce:
    """The policy as this process knows it. `configured` is where it starts from; `version` is that of the
    stored changes that it was last brought up to."""

    configured: Policy
    current: Policy
    version: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """Store, clock, source of ids, and the policy in force."""

    store: Store
    clock: Clock
    entropy: Entropy
    policies: PolicyInForce
    roles: Roles = field(default_factory=Roles)
    """What each role may do."""
    plans: Plans = field(default_factory=Plans)
    """What is in each plan."""

    @property
    def policy(self) -> Policy:
        """The policy in force: what is configured, with what has been changed since."""
        return self.policies.current

    async def made(self, once: Once | None) -> str | None:
        """The id of what was made under an idempotency key, None where there is no key or nothing was. Raises
        IdempotencyMismatch when the key came with another request."""
        done = None if once is None else await self.store.once(once.digest)
        if once is None or done is None:
            return None
        if done.fingerprint != once.fingerprint:
            raise IdempotencyMismatch(
                "Idempotency-Key", "This idempotency key was used before for a different request."
            )
        return done.resource_id

    def id(self, prefix: Prefix, now: int) -> str:
        """A new id."""
        return self.entropy.id(prefix, now)

    def session_event(self, session: Session, kind: EventType, now: int) -> AppendEvent:
        """The operation that logs a session's change."""
        event_id = self.id(Prefix.EVENT, now)
        return AppendEvent(of_session(session, kind, event_id=event_id, request_id=request_id.get()))

    def event(self, kind: EventType, now: int, **members: object) -> AppendEvent:
        """The operation that logs a change of something else."""
        return AppendEvent(
            Event(
                id=self.id(Prefix.EVENT, now),
                type=kind,
                at=now,
                request_id=request_id.get(),
                **members,  # pyright: ignore[reportArgumentType]  # the fields of Event
            )
        )
