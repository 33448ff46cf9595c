"""Handshakes: how a server that has no valid session token is given one, by way of the browser.

The browser is sent to the Frontend API, which knows it by its client token, and back to the server with the
cookies that the server is to set: in a signed token, or behind a nonce that the server redeems
(wire/server-sdks.md section 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from sojourn.core import cookies, lifecycle
from sojourn.core.deposit import Deposit, DepositKind
from sojourn.core.errors import NotFound, SojournError, Unavailable
from sojourn.core.policy import MINUTE
from sojourn.service.clients import Clients, Recognised
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import InsertDeposit, Refused, TakeDeposit
from sojourn.service.refresh_tokens import RefreshTokens
from sojourn.service.tokens import Tokens
from sojourn.tokens import bearer
from sojourn.tokens.encoding import b64url_encode, decode_object, encode_json
from sojourn.tokens.sealing import NONCE_BYTES, seal_for, unseal_for

HANDSHAKE_SECONDS: Final = MINUTE
"""How long a nonce can be redeemed: one redirect takes a fraction of a second."""
CATEGORY: Final = "cl_I7d4PD111III"
"""Header `cat` of handshake tokens: the SDK takes it there, and no verifier here takes it for a session's."""
AUDIENCE: Final = "handshake"
"""Keeps verifiers that do not look at `cat` from taking one for a session token: they refuse an `aud` that
they were not told of (wire/backend-api.md section 3.2)."""
_NONCE_SECRET_BYTES: Final = 32


class NoHandshake(SojournError):
    """There is no handshake behind this nonce: it is unknown, was used, or is older than a minute."""

    code = "resource_not_found"


class Handshakes:
    """Build the cookies of a handshake, and bring them to the server."""

    def __init__(
        self,
        context: Context,
        clients: Clients,
        tokens: Tokens,
        refresh_tokens: RefreshTokens,
        held: HeldRing,
        *,
        publishable_key: str,
    ) -> None:
        self._context = context
        self._clients = clients
        self._tokens = tokens
        self._refresh_tokens = refresh_tokens
        self._held = held
        self._publishable_key = publishable_key

    async def directives(
        self,
        client: Recognised | None,
        *,
        redirect_url: str,
        with_suffix: bool = True,
        domain: str | None = None,
    ) -> Sequence[str]:
        """The Set-Cookie strings for the server at `redirect_url`, from the session that is in front on a
        client: `__session`, `__client_uat` and `__refresh_<suffix>`; without one, those that remove them.

        They are Secure exactly where that URL is https. `domain` is that of `__client_uat`, None the server's
        own host. Whether that URL may be redirected to is the caller's to know.
        """
        url = urlsplit(redirect_url)
        secure, origin = url.scheme == "https", f"{url.scheme}://{url.netloc}"
        key = self._publishable_key
        session = None if client is None else client.view.last_active
        token = refresh_token = ""
        if session is not None:
            try:
                token = await self._tokens.create(session.id, origin=origin)
                refresh_token = await self._refresh_tokens.issue(session.id)
            except NotFound:  # it ended at this moment
                token = refresh_token = ""
        seconds = self._clients.uat(client.view) if client is not None and token else 0
        return [
            *cookies.session(token, publishable_key=key, secure=secure, with_suffix=with_suffix),
            *cookies.client_uat(seconds, publishable_key=key, secure=secure, domain=domain),
            cookies.refresh(refresh_token, publishable_key=key, secure=secure),
        ]

    async def token(self, directives: Sequence[str]) -> str:
        """A handshake token (compact JWS, claim `handshake`): the value of `__clerk_handshake`."""
        for _ in range(ATTEMPTS):
            now = self._context.clock.wall() // 1000
            claims: dict[str, object] = {
                "aud": AUDIENCE,
                "exp": now + HANDSHAKE_SECONDS,
                "handshake": list(directives),
                "iat": now,
            }
            token = self._held.sign(claims, category=CATEGORY)
            if token is not None:
                return token
            await self._held.record(claims)
        raise Unavailable

    async def nonce(self, directives: Sequence[str], *, client: Recognised | None = None) -> str:
        """A nonce behind which the directives lie for a minute, sealed for who has it: the value of
        `__clerk_handshake_nonce`. `client` is the one that they were built from: they are worth nothing once
        the session that is in front there has ended."""
        now = self._context.clock.now()
        nonce = b64url_encode(self._context.entropy.bytes(_NONCE_SECRET_BYTES)).decode("ascii")
        digest = bearer.digest(nonce)
        session = None if client is None else client.view.last_active
        sealed = seal_for(
            nonce,
            encode_json({"directives": list(directives)}),
            about=digest,
            nonce=self._context.entropy.bytes(NONCE_BYTES),
        )
        deposit = Deposit(
            kind=DepositKind.HANDSHAKE,
            digest=digest,
            created_at=now,
            expire_at=now + HANDSHAKE_SECONDS * 1000,
            session_id=None if session is None else session.id,
            sealed=sealed,
        )
        await self._context.store.commit([InsertDeposit(deposit=deposit)])
        return nonce

    async def payload(self, nonce: str) -> Sequence[str]:
        """The directives behind a nonce, once. Raises NoHandshake for a nonce that is unknown, used or
        older than a minute, and when the session has ended since."""
        digest = bearer.digest(nonce)
        deposit = await self._context.store.deposit(DepositKind.HANDSHAKE, digest)
        if deposit is None or deposit.sealed is None:
            raise NoHandshake
        try:
            await self._context.store.commit([TakeDeposit(kind=deposit.kind, digest=digest)])
        except Refused:
            raise NoHandshake from None
        content = unseal_for(nonce, deposit.sealed, about=digest)
        if content is None or self._context.clock.now() >= deposit.expire_at:
            raise NoHandshake
        if deposit.session_id is not None and not await self._lives(deposit.session_id):
            raise NoHandshake
        return msgspec.convert(decode_object(content)["directives"], list[str])

    async def _lives(self, session_id: str) -> bool:
        held = await self._context.store.session(session_id)
        now = self._context.clock.now()
        return held is not None and lifecycle.settle(held.session, held.cutoffs, now).live
