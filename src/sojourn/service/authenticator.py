"""Who is asking, for an application that has the service in its own process.

The same decision as a `Verifier`'s, and then the session as it stands now: one read of the store instead of a
revocation feed, so a session that has ended is refused with the very next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from sojourn.core import cookies, lifecycle
from sojourn.core.errors import SojournError, Unavailable
from sojourn.core.session import Status
from sojourn.service.context import Context
from sojourn.service.handshakes import Handshakes
from sojourn.service.held_ring import HeldRing
from sojourn.service.refresh_tokens import RefreshTokens
from sojourn.tokens.keys import PublicKey
from sojourn.verify import Options, Outcome, Reason, Request, SignedIn, SignedOut, Verifier
from sojourn.verify.outcomes import NeedRefresh

_WAIT_SECONDS: Final = 10.0
_T = TypeVar("_T")


class LocalAuthenticator:
    """The `sojourn.verify.Authenticator` of a service in the same process.

    Made by `Sojourn.authenticator`.
    """

    def __init__(
        self,
        context: Context,
        held: HeldRing,
        options: Options,
        *,
        handshakes: Handshakes,
        refresh_tokens: RefreshTokens,
    ) -> None:
        self._context = context
        self._options = options
        self._upstream = _LocalUpstream(handshakes, refresh_tokens, options.publishable_key or "")
        self._verifier = Verifier(
            options, keys=_RingKeys(held), upstream=self._upstream, clock=context.clock.wall
        )

    def remembered(self, text: str) -> SignedIn | None:
        """None: every request is looked up."""
        return None

    def remembered_cookies(self, header: str) -> SignedIn | None:
        """None: every request is looked up."""
        return None

    def authenticate(self, request: Request) -> Outcome:
        """Not here: the service lives in an event loop. Raises RuntimeError."""
        raise RuntimeError("in an event loop use authenticate_async; without one open sojourn.blocking")

    async def authenticate_async(self, request: Request) -> Outcome:
        """The outcome for a request, by the session as it stands now."""
        self._upstream.loop = asyncio.get_running_loop()
        outcome = await self._verifier.authenticate_async(request)
        return await self._as_it_stands(outcome) if isinstance(outcome, SignedIn) else outcome

    async def _as_it_stands(self, auth: SignedIn) -> SignedIn | SignedOut:
        found = None
        if auth.session_id is not None:
            found = await self._context.store.session_in_organization(auth.session_id)
        if found is None:
            return SignedOut(reason=Reason.SESSION_REVOKED)
        session = lifecycle.settle(found.held.session, found.held.cutoffs, self._context.clock.now())
        if not session.live or session.user_id != auth.user_id:
            return SignedOut(reason=Reason.SESSION_REVOKED)
        if session.status is Status.PENDING and not self._options.accept_pending:
            return SignedOut(reason=Reason.SESSION_PENDING)
        member = found.membership if found.organization is not None else None
        now = (session.last_active_organization_id, member.role) if member is not None else (None, None)
        if now != (auth.organization_id, auth.role):
            return msgspec.structs.replace(auth, stale=True)
        return auth


class WaitingAuthenticator:
    """The same for programs without an event loop: `submit` runs a coroutine where the service lives."""

    def __init__(
        self, local: LocalAuthenticator, submit: Callable[[Coroutine[Any, Any, Outcome]], Future[Outcome]]
    ) -> None:
        self._local = local
        self._submit = submit

    def remembered(self, text: str) -> SignedIn | None:
        """None: every request is looked up."""
        return None

    def remembered_cookies(self, header: str) -> SignedIn | None:
        """None: every request is looked up."""
        return None

    def authenticate(self, request: Request) -> Outcome:
        """The outcome for a request, by the session as it stands now."""
        return self._submit(self._local.authenticate_async(request)).result()

    async def authenticate_async(self, request: Request) -> Outcome:
        """The same from another event loop than the service's."""
        return await asyncio.wrap_future(self._submit(self._local.authenticate_async(request)))


class _RingKeys:
    """The published keys of the ring that this process holds, which looks for new ones by itself."""

    def __init__(self, held: HeldRing) -> None:
        self._held = held

    def find(self, kid: str) -> PublicKey | None:
        return self._held.public(kid)

    def want(self, kid: str | None) -> Future[Reason | None] | None:
        return None


class _LocalUpstream:
    """What a decision asks the service for, asked in the same process: from a thread of the verifier, in the
    event loop where the service lives."""

    def __init__(self, handshakes: Handshakes, refresh_tokens: RefreshTokens, publishable_key: str) -> None:
        self._handshakes = handshakes
        self._refresh_tokens = refresh_tokens
        self._publishable_key = publishable_key
        self.loop: asyncio.AbstractEventLoop | None = None

    def directives(self, nonce: str) -> tuple[str, ...]:
        try:
            return tuple(self._wait(self._handshakes.payload(nonce)))
        except SojournError:
            return ()

    def refresh(self, need: NeedRefresh) -> tuple[str, ...] | str:
        exchange = self._refresh_tokens.exchange(
            need.session_id,
            expired_token=need.expired_token,
            refresh_token=need.refresh_token,
            request_origin=need.origin,
        )
        try:
            token = self._wait(exchange)
        except SojournError as error:
            return error.code
        return cookies.session(
            token,
            publishable_key=self._publishable_key,
            secure=need.origin.startswith("https:"),
            with_suffix=need.suffixed_cookies,
        )

    def lives(self, auth: SignedIn) -> bool | None:
        return None  # every request is looked up anyway

    def _wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        if self.loop is None:
            coroutine.close()
            raise Unavailable
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_WAIT_SECONDS)


def local_options(options: Options | None, *, publishable_key: str, issuer: str) -> Options:
    """The options with what this instance knows of itself put in where nothing is said."""
    given = options or Options()
    return replace(
        given,
        publishable_key=given.publishable_key or publishable_key,
        issuer=given.issuer or issuer,
    )
