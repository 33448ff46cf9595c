"""Clients: browsers and devices, the sessions they hold, and the token by which each is known."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from sojourn.core import lifecycle
from sojourn.core.client import Client, ClientSecret, Standing, client_uat, last_active
from sojourn.core.errors import Conflict, CookieInvalid, NotFound
from sojourn.core.events import BY_STATUS
from sojourn.core.ids import Prefix
from sojourn.core.lifecycle import SubjectKind, Trigger
from sojourn.core.session import Activity, Instigator, Reason, Session, Status
from sojourn.service.context import ATTEMPTS, Context, check_page
from sojourn.service.cutoffs import cut
from sojourn.service.placing import MOST, PLACE_ATTEMPTS, live_on
from sojourn.service.ports import (
    ClientQuery,
    InsertClient,
    Operation,
    Refused,
    SessionQuery,
    UpdateClient,
    UpdateSession,
)
from sojourn.service.signing_in import Outsider, SigningIn, standing_of
from sojourn.service.tickets import Tickets
from sojourn.tokens import bearer
from sojourn.tokens.client_token import SECRET_BYTES, ClientToken, ClientTokens

_log = logging.getLogger("sojourn.clients")

SESSIONS_SHOWN = MOST
"""How many of its newest sessions a client shows; bounds the answer for a client that is used for years."""


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client and its sessions, settled, newest first, without those that were removed from it."""

    client: Client
    sessions: Sequence[Session]

    @property
    def live(self) -> Sequence[Session]:
        """The sessions in which somebody is signed in."""
        return [session for session in self.sessions if session.live]

    @property
    def last_active(self) -> Session | None:
        """The live session that is in front."""
        return last_active(self.client, self.sessions)


@dataclass(frozen=True, slots=True)
class ClientList:
    """Clients, newest first; `total` counts all of them where that was asked for."""

    items: Sequence[ClientView]
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A client that was presented with a good token. `token` is the one to present from now on; `renewed`:
    it is another one than was presented, and the browser has to be given it."""

    view: ClientView
    token: str = field(repr=False)
    renewed: bool

    @property
    def id(self) -> str:
        """The client's."""
        return self.view.client.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Recognised):
    """What a sign-in in a browser led to. The token is always one that the browser has to be given."""

    session: Session


class Clients:
    """Read clients, recognise them by their token, and do what a browser does with its sessions."""

    def __init__(self, context: Context, tickets: Tickets, tokens: ClientTokens) -> None:
        self._context = context
        self._tickets = tickets
        self._tokens = tokens
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, client_id: str) -> ClientView:
        """One client. Raises NotFound."""
        client = await self._context.store.client(client_id)
        if client is None:
            raise NotFound("client", client_id)
        return await self._view(client)

    async def list(self, *, limit: int = 10, offset: int = 0, count: bool = False) -> ClientList:
        """Clients, newest first. `limit` is from 1 to 500. Raises Invalid."""
        check_page(limit, offset)
        page = await self._context.store.clients(ClientQuery(limit=limit, offset=offset, count=count))
        return ClientList([await self._view(client) for client in page.items], page.total)

    def uat(self, view: ClientView | None) -> int:
        """What the cookie `__client_uat` has to say of a client now, in seconds; 0 when nobody is signed
        in."""
        wall = self._context.clock.wall()
        return 0 if view is None else client_uat(view.client, view.sessions, wall)

    # By its token -------------------------------------------------------------------------------------------

    async def recognise(self, token: str | None) -> Recognised | None:
        """The client that presents a token; None where there is none, or it opens nothing (any more).

        An id that was not issued here is never adopted. A secret that was replaced less than 10 seconds ago
        is answered with its successor; one that was replaced longer ago is in two hands, and ends every
        session of the client. After the end of an impersonation the token that comes back is a new one.
        """
        given = None if token is None else self._tokens.read(token)
        if given is None or token is None:
            return None
        found = await self._stand(given)
        if found is None or found[1] not in (Standing.CURRENT, Standing.SUCCEEDED):
            return None
        return await self._recognised(found[0], given, token)

    async def create(self) -> Recognised:
        """A new client that holds no session yet, with its first token."""
        now = self._context.clock.now()
        client_id = self._context.id(Prefix.CLIENT, now)
        given = self._first(client_id)
        secret = ClientSecret(digest=given.digest)
        client = Client(id=client_id, created_at=now, updated_at=now, secret=secret)
        await self._context.store.commit([InsertClient(client)])
        return Recognised(view=ClientView(client, []), token=self._tokens.write(given), renewed=True)

    async def sign_in(
        self,
        ticket: str,
        *,
        token: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
    ) -> SignedIn:
        """Sign in by a ticket in the browser that presents a client's token, or none or a useless one: that
        gets a client of its own.

        The secret is replaced in the step that makes the session. In single-session mode a client that holds
        a session already takes no other, but for an impersonation, which replaces it. Raises SessionExists,
        SessionCreationNotAllowed (an impersonation goes on there), and what `tickets.redeem` raises.
        """
        given = None if token is None else self._tokens.read(token)
        async with self._turn(given):
            for _ in range(ATTEMPTS):
                if given is not None and await self._stand(given) is None:
                    given = None
                signing = SigningIn(self._context, self._tokens, given, self._first)
                try:
                    session = await self._tickets.redeem(
                        ticket,
                        client_id=None if given is None else given.client_id,
                        activity=activity,
                        tasks=tasks,
                        place=signing.place,
                    )
                except Outsider:
                    given = None
                    continue
                client = await self._context.store.client(session.client_id)
                view = await self._view(client or signing.client)
                text = self._tokens.write(signing.token)
                stored = next((one for one in view.sessions if one.id == session.id), session)
                return SignedIn(view=view, token=text, renewed=True, session=stored)
        raise Conflict

    async def verify(self, token: str) -> ClientView:
        """The client of a token (operation VerifyClient). Raises CookieInvalid for one that was not issued
        here or is not in force, NotFound for one whose client is gone."""
        given = self._tokens.read(token)
        if given is None:
            raise _unreadable(token)
        found = await self._stand(given)
        if found is None:
            raise NotFound("client", given.client_id)
        client, standing = found
        if standing not in (Standing.CURRENT, Standing.SUCCEEDED):
            raise CookieInvalid("The rotating token of this client is another one by now.")
        return await self._view(client)

    # What a browser does ------------------------------------------------------------------------------------

    async def make_active(self, held: Recognised, session_id: str) -> Recognised:
        """Put a live session of the client in front. Raises NotFound when it holds no such session,
        Conflict."""
        for _ in range(ATTEMPTS):
            client = await self._there(held.id)
            now = self._context.clock.now()
            if all(one.id != session_id for one in await live_on(self._context, client.id, now)):
                raise NotFound("live session on this client", session_id)
            if client.last_active_session_id == session_id:
                return await self._again(held)
            changed = client.changed(now, last_active_session_id=session_id)
            if await self._committed(UpdateClient(client=changed, expected_version=client.version)):
                return await self._again(held)
        raise Conflict

    async def end_session(self, held: Recognised, session_id: str) -> Recognised:
        """The user signs out of one session, which stays on the client. One that has ended stays as it is.
        Raises NotFound when the client holds no such session, Conflict."""
        return await self._finish_one(held, session_id, Trigger.END)

    async def remove_session(self, held: Recognised, session_id: str) -> Recognised:
        """As `end_session`, and the session leaves the client."""
        return await self._finish_one(held, session_id, Trigger.REMOVE)

    async def remove_sessions(self, held: Recognised) -> Recognised:
        """The user signs out of every session, and they leave the client, which stays. Raises Conflict."""
        while await self._finish(held.id, None, Trigger.REMOVE):
            pass
        return await self._again(held)

    async def destroy(self, held: Recognised) -> ClientView:
        """The user signs out of every session, and the client's token is worth nothing from now on. Raises
        Conflict."""
        for _ in range(ATTEMPTS):
            while await self._finish(held.id, None, Trigger.END):
                pass
            client = await self._there(held.id)
            if client.secret is None:
                break
            now = self._context.clock.now()
            if await live_on(self._context, client.id, now, 1):
                continue
            gone = client.changed(now, secret=None, impersonation_id=None)
            if await self._committed(UpdateClient(client=gone, expected_version=client.version)):
                break
        else:
            raise Conflict
        return await self.get(held.id)

    # How it is done -----------------------------------------------------------------------------------------

    def _first(self, client_id: str) -> ClientToken:
        return ClientToken(client_id, 1, self._context.entropy.bytes(SECRET_BYTES))

    @asynccontextmanager
    async def _turn(self, given: ClientToken | None) -> AsyncGenerator[None]:
        """One sign-in on a client at a time in this process: all but one of those that run at once would
        lose, and have to look again."""
        if given is None:
            yield
            return
        lock = self._turns.get(given.client_id)
        if lock is None:
            lock = self._turns[given.client_id] = asyncio.Lock()
        async with lock:
            yield

    async def _stand(self, given: ClientToken) -> tuple[Client, Standing] | None:
        """The client of a token that was issued, and where its secret stands; None when the client is gone.
        Ends the client's sessions where the secret is used again."""
        for _ in range(ATTEMPTS):
            client = await self._context.store.client(given.client_id)
            if client is None:
                _log.info("a token was presented whose client is not there any more")
                return None
            standing = self._standing(client, given)
            if standing is not Standing.REUSED or await self._end_family(client):
                return client, standing
        raise Conflict

    def _standing(self, client: Client, given: ClientToken) -> Standing:
        return standing_of(client, given, self._tokens, self._context.clock.now())

    async def _end_family(self, client: Client) -> bool:
        """End every session of a client whose secret is in two hands, and make the secret worthless. False
        when somebody changed the client at this moment."""
        now = self._context.clock.now()
        dead = client.changed(now, secret=None, impersonation_id=None)
        ended = await self._committed(
            UpdateClient(client=dead, expected_version=client.version),
            *cut(
                self._context,
                SubjectKind.CLIENT,
                client.id,
                now,
                reason=Reason.CLIENT_SECRET_REUSED,
                instigator=Instigator.SYSTEM,
            ),
        )
        if ended:
            _log.warning("a replaced secret was used again", extra={"client_id": client.id})
        return ended

    async def _recognised(self, client: Client, given: ClientToken, text: str) -> Recognised:
        view = await self._view(client)
        for _ in range(PLACE_ATTEMPTS):
            current = self._current(view.client, given)
            acting = view.client.impersonation_id
            if acting is None or any(session.id == acting for session in view.live):
                written = self._tokens.write(current)
                return Recognised(view=view, token=written, renewed=written != text)
            # The impersonation is over: what was known during it is worth nothing any more.
            now = self._context.clock.now()
            following = self._tokens.successor(current)
            secret = view.client.secret and view.client.secret.rotated(following.digest, now, held=True)
            rotated = view.client.changed(now, secret=secret, impersonation_id=None)
            await self._committed(UpdateClient(client=rotated, expected_version=view.client.version))
            view = await self.get(client.id)
            if self._standing(view.client, given) not in (Standing.CURRENT, Standing.SUCCEEDED):
                break
        raise Conflict

    def _current(self, client: Client, given: ClientToken) -> ClientToken:
        return given if client.secret is None else self._tokens.successor(given, client.secret.generation)

    async def _again(self, held: Recognised) -> Recognised:
        """The client as it is after a change."""
        client, given = await self._there(held.id), self._tokens.read(held.token)
        if given is None:
            raise CookieInvalid
        found = await self._recognised(client, given, held.token)
        return replace(found, renewed=found.renewed or held.renewed)

    async def _there(self, client_id: str) -> Client:
        client = await self._context.store.client(client_id)
        if client is None:
            raise NotFound("client", client_id)
        return client

    async def _finish_one(self, held: Recognised, session_id: str, trigger: Trigger) -> Recognised:
        if not await self._finish(held.id, session_id, trigger):
            found = await self._context.store.session(session_id)
            if found is None or found.session.client_id != held.id:
                raise NotFound("session on this client", session_id)
        return await self._again(held)

    async def _finish(self, client_id: str, session_id: str | None, trigger: Trigger) -> bool:
        """End one live session of a client, or as many as there are up to MOST. False when there is none."""
        for _ in range(ATTEMPTS):
            client = await self._there(client_id)
            now = self._context.clock.now()
            live = await live_on(self._context, client_id, now)
            chosen = [one for one in live if session_id in (None, one.id)]
            if not chosen:
                return False
            # The client's version keeps a sign-in that runs at the same time out of the middle.
            operations: list[Operation] = [
                UpdateClient(client=client.changed(now), expected_version=client.version)
            ]
            for one in chosen:
                over = lifecycle.finish(one, trigger, now, instigator=Instigator.USER)
                operations.append(UpdateSession(session=over, expected_version=one.version))
                operations.append(self._context.session_event(over, BY_STATUS[over.status], now))
            if await self._committed(*operations):
                return True
        raise Conflict

    async def _committed(self, *operations: Operation) -> bool:
        try:
            await self._context.store.commit(operations)
        except Refused:
            return False
        return True

    async def _view(self, client: Client) -> ClientView:
        now = self._context.clock.now()
        page = await self._context.store.sessions(
            SessionQuery(
                now=now,
                client_id=client.id,
                excluded=frozenset({Status.REMOVED}),
                limit=SESSIONS_SHOWN,
            )
        )
        settled = [lifecycle.settle(held.session, held.cutoffs, now) for held in page.items]
        return ClientView(client, settled)


def _unreadable(token: str) -> CookieInvalid:
    """Why a text is no token of a client (wire/backend-api.md section 1.2)."""
    try:
        claims = bearer.claims_of(token)
    except ValueError:
        return CookieInvalid("The token is no JWT.")
    missing = [name for name in ("id", "rotating_token") if name not in claims]
    if missing:
        return CookieInvalid(f"The token is missing the following claims: {', '.join(missing)}.")
    return CookieInvalid("The token was not issued by this instance.")
