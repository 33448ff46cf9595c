"""Tickets: sign-ins that work once, made by the application and redeemed by a browser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sojourn.core import ticket as rules
from sojourn.core.errors import Conflict, Invalid, NotFound, UserBanned
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.policy import DAY, HOUR, MAX_SECONDS, MINUTE, Limits
from sojourn.core.session import Activity, Actor, Session
from sojourn.core.ticket import ActorTokenSubjectNotFound, Ticket, TicketKind, TicketRefused
from sojourn.service import choosing
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.placing import Placement
from sojourn.service.ports import InsertTicket, Operation, Refused, UpdateTicket
from sojourn.service.sessions import Sessions
from sojourn.tokens import bearer
from sojourn.tokens.encoding import decode_object, encode_json

ACTOR_TOKEN_SECONDS = HOUR
SIGN_IN_TOKEN_SECONDS = 30 * DAY
IMPERSONATION_SECONDS = 30 * MINUTE
"""The three defaults of the published API (wire/backend-api.md section 1.3)."""
MAX_ACTOR_BYTES = 2048
"""The actor stands in every token of its session, and a cookie holds 4 KB in all."""

_PREFIX = {TicketKind.ACTOR: Prefix.ACTOR_TOKEN, TicketKind.SIGN_IN: Prefix.SIGN_IN_TOKEN}
_CREATED = {
    TicketKind.ACTOR: EventType.ACTOR_TOKEN_CREATED,
    TicketKind.SIGN_IN: EventType.SIGN_IN_TOKEN_CREATED,
}
_ACCEPTED = {
    TicketKind.ACTOR: EventType.ACTOR_TOKEN_ACCEPTED,
    TicketKind.SIGN_IN: EventType.SIGN_IN_TOKEN_ACCEPTED,
}
_REVOKED = {
    TicketKind.ACTOR: EventType.ACTOR_TOKEN_REVOKED,
    TicketKind.SIGN_IN: EventType.SIGN_IN_TOKEN_REVOKED,
}


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A new ticket with its text and the URL that redeems it. Neither is kept anywhere."""

    ticket: Ticket
    token: str = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSettings:
    """What is written into tickets: the instance, and the host of the Frontend API for their URL."""

    instance_id: str
    frontend_host: str


class Tickets:
    """Make, revoke and redeem tickets."""

    def __init__(self, context: Context, sessions: Sessions, settings: TicketSettings) -> None:
        self._context = context
        self._sessions = sessions
        self._settings = settings

    async def create_actor_token(
        self,
        *,
        user_id: str,
        actor: Actor | Mapping[str, object],
        expires_in_seconds: int = ACTOR_TOKEN_SECONDS,
        session_max_duration_in_seconds: int = IMPERSONATION_SECONDS,
    ) -> IssuedTicket:
        """A ticket that signs the actor in *as* the user, without any factor of the user.

        The actor need not be known here; every member comes back unchanged and ends in the claim `act`. The
        session lives as long as is asked for and the policy allows actors. Raises NotFound (user),
        UserBanned, Missing or Invalid (`actor.sub`, an actor within the actor, a duration).
        """
        given = actor if isinstance(actor, Actor) else Actor.from_wire(actor)
        _check_actor(given, user_id)
        _check_seconds("session_max_duration_in_seconds", session_max_duration_in_seconds)
        return await self._create(
            TicketKind.ACTOR,
            user_id,
            expires_in_seconds,
            actor=given,
            session_lifetime_seconds=session_max_duration_in_seconds,
        )

    async def create_sign_in_token(
        self,
        *,
        user_id: str,
        organization_id: str | None = None,
        expires_in_seconds: int = SIGN_IN_TOKEN_SECONDS,
    ) -> IssuedTicket:
        """A ticket that signs the user in, with the organization active if one is named.

        Raises NotFound (user, organization), NotAMember, UserBanned, Invalid (the duration).
        """
        return await self._create(
            TicketKind.SIGN_IN, user_id, expires_in_seconds, organization_id=organization_id
        )

    async def get(self, ticket_id: str) -> Ticket:
        """One ticket, as long as it is kept. Raises NotFound."""
        found = await self._context.store.ticket(ticket_id)
        if found is None:
            raise NotFound("ticket", ticket_id)
        return found

    async def revoke_actor_token(self, ticket_id: str) -> Ticket:
        """Make a pending actor token useless; a session it has made stays. Raises NotFound, TicketRefused
        (`actor_token_cannot_be_revoked_code`), Conflict."""
        return await self._revoke(TicketKind.ACTOR, ticket_id)

    async def revoke_sign_in_token(self, ticket_id: str) -> Ticket:
        """Make a pending sign-in token useless; a session it has made stays. Raises NotFound, TicketRefused
        (`sign_in_token_cannot_be_revoked_code`), Conflict."""
        return await self._revoke(TicketKind.SIGN_IN, ticket_id)

    async def redeem(
        self,
        token: str,
        *,
        client_id: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
        place: Placement | None = None,
    ) -> Session:
        """Sign in by a ticket: its session, on a client of its own unless one is named. For a browser, which
        holds a client's token, there is `clients.sign_in`.

        The session comes into being in the same step in which the ticket is used up, so that it works once
        however many redeem it. Raises TicketRefused (`ticket_invalid_code`, `ticket_expired_code`,
        `…_already_used_code`, `…_revoked_code`, `…_cannot_be_used_code`), ActorTokenSubjectNotFound,
        NotFound (user or client), UserBanned, UserLocked, and what `sessions.create` raises.
        """
        digest = bearer.digest(token)
        ticket = await self._usable(digest)

        async def use_up(session: Session) -> Sequence[Operation]:
            now = self._context.clock.now()
            current = await self._usable(digest)
            accepted = rules.accept(current, session.id, now)
            update = UpdateTicket(ticket=accepted, expected_version=current.version)
            return [update, self._event(_ACCEPTED, accepted, now)]

        limited = ticket.session_lifetime_seconds
        try:
            return await self._sessions.create(
                user_id=ticket.user_id,
                client_id=client_id,
                actor=ticket.actor,
                organization_id=ticket.organization_id,
                activity=activity,
                tasks=tasks,
                limits=None if limited is None else Limits(lifetime_seconds=limited),
                also=use_up,
                place=place,
            )
        except NotFound:
            if ticket.kind is TicketKind.ACTOR and await self._context.store.user(ticket.user_id) is None:
                raise ActorTokenSubjectNotFound("user", ticket.user_id) from None
            raise

    # How it is done ----------------------------------------------------------------------------------------

    async def _create(
        self,
        kind: TicketKind,
        user_id: str,
        expires_in_seconds: int,
        *,
        actor: Actor | None = None,
        session_lifetime_seconds: int | None = None,
        organization_id: str | None = None,
    ) -> IssuedTicket:
        _check_seconds("expires_in_seconds", expires_in_seconds)
        user = await self._context.store.user(user_id)
        if user is None:
            raise NotFound("user", user_id)
        if user.banned:
            raise UserBanned(f"The user {user_id} is banned and cannot be signed in.")
        if organization_id is not None and not await self._context.store.membership(organization_id, user_id):
            raise await choosing.stranger(self._context, organization_id, user_id)
        now = self._context.clock.now()
        ticket_id = self._context.id(_PREFIX[kind], now)
        token = self._text(kind, ticket_id, expires_in_seconds)
        ticket = Ticket(
            id=ticket_id,
            kind=kind,
            user_id=user_id,
            digest=bearer.digest(token),
            created_at=now,
            updated_at=now,
            expire_at=now + expires_in_seconds * 1000,
            actor=actor,
            session_lifetime_seconds=session_lifetime_seconds,
            organization_id=organization_id,
        )
        await self._context.store.commit([InsertTicket(ticket), self._event(_CREATED, ticket, now)])
        url = f"https://{self._settings.frontend_host}/v1/tickets/accept?ticket={token}"
        return IssuedTicket(ticket, token, url)

    def _text(self, kind: TicketKind, ticket_id: str, expires_in_seconds: int) -> str:
        """The claims of published tickets (wire/backend-api.md section 1.3). They tell a reader what the
        ticket is for; what counts when it is redeemed is in the store alone."""
        claims = {
            "eis": expires_in_seconds,
            "exp": self._context.clock.wall() // 1000 + expires_in_seconds,
            "iid": self._settings.instance_id,
            "sid": ticket_id,
            "st": kind.value,
        }
        return bearer.make(claims, secret=self._context.entropy.bytes(bearer.SECRET_BYTES))

    async def _usable(self, digest: bytes) -> Ticket:
        """The pending ticket with this digest. Raises TicketRefused."""
        ticket = await self._context.store.ticket_by(digest)
        if ticket is None:
            raise TicketRefused("ticket_invalid_code", "This is no ticket of this instance.")
        rules.accept(ticket, "", self._context.clock.now())
        if not await self._actor_stands(ticket):
            raise TicketRefused(
                f"{ticket.kind.value}_cannot_be_used_code",
                f"The session from which the {ticket.kind.words} was made has ended.",
            )
        return ticket

    async def _actor_stands(self, ticket: Ticket) -> bool:
        """Whether the actor's own session still lives, where the actor names one of ours as `sid`
        (RELIABILITY S-13)."""
        named = ticket.actor.members.get("sid") if ticket.actor is not None else None
        if not isinstance(named, str):
            return True
        try:
            return (await self._sessions.get(named)).live
        except NotFound:
            return True

    async def _revoke(self, kind: TicketKind, ticket_id: str) -> Ticket:
        for _ in range(ATTEMPTS):
            ticket = await self._context.store.ticket(ticket_id)
            if ticket is None or ticket.kind is not kind:
                raise NotFound(kind.words, ticket_id)
            now = self._context.clock.now()
            revoked = rules.revoke(ticket, now)
            update = UpdateTicket(ticket=revoked, expected_version=ticket.version)
            try:
                await self._context.store.commit([update, self._event(_REVOKED, revoked, now)])
            except Refused:
                continue  # used or revoked at this moment: look again
            return revoked
        raise Conflict

    def _event(self, kinds: Mapping[TicketKind, EventType], ticket: Ticket, now: int) -> Operation:
        return self._context.event(
            kinds[ticket.kind],
            now,
            user_id=ticket.user_id,
            session_id=ticket.session_id,
            organization_id=ticket.organization_id,
            actor=None if ticket.actor is None else ticket.actor.sub,
            resource_id=ticket.id,
        )


def _check_seconds(parameter: str, seconds: int) -> None:
    if not 1 <= seconds <= MAX_SECONDS:
        raise Invalid(parameter, f"{parameter} must be from 1 to {MAX_SECONDS} seconds.")


def _check_actor(actor: Actor, user_id: str) -> None:
    """Refuse what could not be told apart later, or not be written into a token (RELIABILITY S-13, T-28)."""
    if actor.sub == user_id:
        raise Invalid("actor.sub", "actor.sub must be somebody else than the user.")
    if "act" in actor.members:
        raise Invalid("actor.act", "actor.act must not be given: an actor has no actor of its own.")
    wire = actor.to_wire()
    try:
        raw = encode_json(wire)
        faithful = decode_object(raw) == wire
    except (ValueError, TypeError, OverflowError):
        raw, faithful = b"", False
    if not faithful:
        raise Invalid("actor", "actor must hold JSON values that a token can carry unchanged.")
    if len(raw) > MAX_ACTOR_BYTES:
        raise Invalid("actor", f"actor must not be longer than {MAX_ACTOR_BYTES} bytes of JSON.")
