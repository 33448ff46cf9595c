"""Who is asking, for an application that has the service in its own process.

The same decision as a `Verifier`'s, and then the session as it stands now: one read of the store instead of a
revocation feed, so a session that has ended is refused with the very next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import msgspec

from sojourn.core import lifecycle
from sojourn.core.session import Status
from sojourn.service.context import Context
from sojourn.service.held_ring import HeldRing
from sojourn.tokens.keys import PublicKey
from sojourn.verify import Options, Outcome, Reason, Request, SignedIn, SignedOut, Verifier


class LocalAuthenticator:
    """The `sojourn.verify.Authenticator` of a service in the same process. Made by `Sojourn.authenticator`.

    It neither refreshes tokens nor resolves the nonce of a handshake.
    """

    def __init__(self, context: Context, held: HeldRing, options: Options) -> None:
        self._context = context
        self._options = options
        self._verifier = Verifier(options, keys=_RingKeys(held), clock=context.clock.wall)

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


def local_options(options: Options | None, *, publishable_key: str, issuer: str) -> Options:
    """The options with what this instance knows of itself put in where nothing is said."""
    given = options or Options()
    return replace(
        given,
        publishable_key=given.publishable_key or publishable_key,
        issuer=given.issuer or issuer,
    )
