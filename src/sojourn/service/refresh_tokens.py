"""Refresh tokens: with one of them a server exchanges an expired session token for a new one, once."""

from __future__ import annotations

from sojourn.core import lifecycle, refresh
from sojourn.core.deposit import Deposit, DepositKind
from sojourn.core.errors import Conflict, NotFound
from sojourn.core.refresh import GRACE_MS, Expired, RefreshRefused
from sojourn.core.session import Session
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import InsertDeposit, Refused
from sojourn.service.server_secret import ServerSecret
from sojourn.service.tokens import Tokens
from sojourn.tokens import bearer, jws
from sojourn.tokens.encoding import b64url_encode
from sojourn.tokens.sealing import NONCE_BYTES, seal_for, unseal_for


class RefreshTokens:
    """Issue refresh tokens and redeem them."""

    def __init__(
        self, context: Context, tokens: Tokens, held: HeldRing, secret: ServerSecret, *, issuer: str
    ) -> None:
        self._context = context
        self._tokens = tokens
        self._held = held
        self._secret = secret
        self._issuer = issuer

    async def issue(self, session_id: str) -> str:
        """The refresh token of a live session; the same for the same session, so that a browser that is sent
        through a hundred handshakes leaves no hundred of them. Only its hash is kept. Raises NotFound.
        """
        held = await self._context.store.session(session_id)
        now = self._context.clock.now()
        if held is None or not lifecycle.settle(held.session, held.cutoffs, now).live:
            raise NotFound("live session", session_id)
        token = b64url_encode(self._secret.derive("refresh token/v1", session_id)).decode("ascii")
        deposit = Deposit(
            kind=DepositKind.REFRESH_TOKEN,
            digest=bearer.digest(token),
            created_at=now,
            expire_at=held.session.expire_at,
            session_id=session_id,
        )
        if await self._context.store.deposit(deposit.kind, deposit.digest) is not None:
            return token
        try:
            await self._context.store.commit([InsertDeposit(deposit=deposit, live_at=now)])
        except Refused as refused:
            if refused.why != Refused.REPEATED:
                raise NotFound("live session", session_id) from None
        return token

    async def exchange(
        self, session_id: str, *, expired_token: str, refresh_token: str, request_origin: str
    ) -> str:
        """A new session token for one that has expired, made for the same origin (`azp`).

        An expired token is exchanged once. Repeated within 10 seconds with the same refresh token, while the
        session lives, the exchange gives the very same token again. Counts as activity. Raises RefreshRefused
        with the published codes (wire/backend-api.md section 4), Conflict.
        """
        refresh.check_origin(request_origin)
        now_seconds = self._context.clock.wall() // 1000
        expired = refresh.read(
            await self._claims(expired_token),
            session_id=session_id,
            origin=request_origin,
            now_seconds=now_seconds,
            max_age_seconds=self._context.policy.refresh_max_age_seconds,
        )
        digest = bearer.digest(expired_token)
        for _ in range(ATTEMPTS):
            await self._living(expired)
            now = self._context.clock.now()
            await self._check_refresh_token(refresh_token, expired.session_id, now)
            done = await self._context.store.deposit(DepositKind.EXCHANGE, digest)
            if done is not None:
                return self._repeated(done, refresh_token, now)
            made = await self._make(expired, digest, refresh_token, now)
            if made is not None:
                return made
        raise Conflict

    # How it is done ----------------------------------------------------------------------------------------

    async def _claims(self, token: str) -> dict[str, object]:
        """What a session token of this instance says, expired or not."""
        try:
            verified = await self._held.verify(token)
            jws.check_category(verified.header, jws.SESSION)
            now_ms = self._context.clock.wall()
            jws.check(verified.claims, now_ms=now_ms, issuer=self._issuer, allow_expired=True)
        except jws.TokenError as error:
            # A token of a key that is not published (any more), or of another kind, is sound and still none
            # that can be exchanged (wire/backend-api.md section 7, question 14).
            if error.reason in _INELIGIBLE:
                raise RefreshRefused(
                    "session_refresh_session_token_ineligible",
                    f"This token cannot be exchanged: {error.reason.value}.",
                ) from None
            raise RefreshRefused(
                "expired_session_token_invalid", f"The session token is refused: {error.reason.value}."
            ) from None
        return verified.claims

    async def _living(self, expired: Expired) -> Session:
        held = await self._context.store.session(expired.session_id)
        if held is None or held.session.user_id != expired.user_id:
            raise RefreshRefused(
                "session_refresh_session_not_found", "There is no session that this token was made from."
            )
        session = lifecycle.settle(held.session, held.cutoffs, self._context.clock.now())
        if not session.live:
            raise _inactive(session.status)
        if await self._context.store.user(session.user_id) is None:
            raise RefreshRefused("session_refresh_user_not_found", "The user of this session is gone.")
        return session

    async def _check_refresh_token(self, token: str, session_id: str, now: int) -> None:
        found = await self._context.store.deposit(DepositKind.REFRESH_TOKEN, bearer.digest(token))
        if found is None or found.session_id != session_id or now >= found.expire_at:
            raise RefreshRefused("refresh_token_not_found", "This is no refresh token of this session.")

    def _repeated(self, done: Deposit, refresh_token: str, now: int) -> str:
        sealed = done.sealed if now < done.created_at + GRACE_MS else None
        token = sealed and unseal_for(refresh_token, sealed, about=done.digest)
        if token is None:
            raise RefreshRefused(
                "session_refresh_expired_session_token_consumed", "This session token was exchanged already."
            )
        return token.decode("ascii")

    async def _make(self, expired: Expired, digest: bytes, refresh_token: str, now: int) -> str | None:
        """A new token, on record before anybody has it; None when somebody else was faster."""
        try:
            token = await self._tokens.create(expired.session_id, origin=expired.origin)
        except NotFound:
            raise _inactive("over") from None
        nonce = self._context.entropy.bytes(NONCE_BYTES)
        max_age = self._context.policy.refresh_max_age_seconds
        deposit = Deposit(
            kind=DepositKind.EXCHANGE,
            digest=digest,
            created_at=now,
            # As long as it could be presented again.
            expire_at=max(now, (expired.issued_at + max_age + 1) * 1000),
            session_id=expired.session_id,
            sealed=seal_for(refresh_token, token.encode("ascii"), about=digest, nonce=nonce),
        )
        try:
            # At the commit the session still lives: no end of it was acknowledged before (RELIABILITY S-07).
            await self._context.store.commit([InsertDeposit(deposit=deposit, live_at=now)])
        except Refused as refused:
            if refused.why == Refused.SESSION_ENDED:
                raise _inactive("over") from None
            return None
        return token


def _inactive(status: str) -> RefreshRefused:
    return RefreshRefused("session_refresh_inactive_session", f"This session is {status}.")


_INELIGIBLE = (
    jws.Reason.TOKEN_TYPE_MISMATCH,
    jws.Reason.JWK_KID_MISMATCH,
    jws.Reason.TOKEN_INVALID_ALGORITHM,
)
