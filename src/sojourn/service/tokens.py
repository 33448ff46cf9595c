"""Session tokens: sign them from live sessions, verify them against the sessions as they stand now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sojourn.core import lifecycle
from sojourn.core.claims import ActiveOrganization, issued_seconds, session_claims
from sojourn.core.errors import Invalid, InvalidSessionToken, NotFound, SojournError, Unavailable
from sojourn.core.plans import Plan
from sojourn.core.policy import MAX_SECONDS
from sojourn.core.session import Session, Status
from sojourn.core.templates import Template, template_claims
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.shaping import Shape, Shaping, too_large
from sojourn.service.template_keys import TemplateKeys
from sojourn.tokens import jws
from sojourn.tokens.custom_keys import sign_custom

_log = logging.getLogger("sojourn.tokens")
_YOUNG_MS = 5_000
"""Only a session as young as this can have been made in the second of a cutoff that does not cover it, the
difference of two processes' clocks included; only for these it is looked up."""
_JTI_BYTES = 10
"""80 bits, 20 hex digits, as the published tokens have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How tokens are made: `version` 1 or 2 of the claims; `issuer` is the `iss` claim."""

    issuer: str
    version: int = 2


class Tokens:
    """Sign tokens and verify session tokens."""

    def __init__(
        self, context: Context, keys: HeldRing, settings: TokenSettings, template_keys: TemplateKeys
    ) -> None:
        self._context = context
        self._keys = keys
        self._shaping = Shaping(context, template_keys)
        self._settings = settings
        self._touching: dict[str, asyncio.Task[None]] = {}

    async def create(
        self,
        session_id: str,
        *,
        template: str | None = None,
        expires_in_seconds: int | None = None,
        origin: str | None = None,
    ) -> str:
        """A new token (compact JWS) for a live session; every call signs anew with its own `jti`.

        A session token, with the claims of the template that the policy names, if any; or, with the name of
        a `template`, a token made by that, which is no session token and which a pending session does not
        get: it would not say that it is pending. `expires_in_seconds` replaces the policy's or the
        template's lifetime; `exp` is never after the session's `expire_at`. `origin` becomes `azp`. Counts
        as activity.

        Raises NotFound when there is no such session or it has ended: to a token request the two are the same
        (wire/backend-api.md section 7, question 3); for a template, too, when there is none with that name.
        Raises Invalid for a lifetime that is not from 1 to MAX_SECONDS, and ClaimsTooLarge.
        """
        if expires_in_seconds is not None and not 1 <= expires_in_seconds <= MAX_SECONDS:
            raise Invalid("expires_in_seconds", f"expires_in_seconds must be from 1 to {MAX_SECONDS}.")
        for _ in range(ATTEMPTS):
            # Before anything is read: no `iat` is later than the state that it was signed for.
            seconds = self._context.clock.wall() // 1000
            held = await self._context.store.session(session_id)
            now, cutoff_at = self._context.clock.now(), 0
            if held is not None and now - held.session.created_at < _YOUNG_MS:
                cutoff_at = await self._context.store.last_cutoff_at(held.session.user_id)
                held = await self._context.store.session(session_id)
            if held is None:
                raise NotFound("session", session_id)
            session = lifecycle.settle(held.session, held.cutoffs, now)
            shape = await self._shape(session, template) if session.live else None
            with_plan = template is None and self._context.plans.for_users and session.live
            user_plan = await self._user_plan(session, shape) if with_plan else None
            organization = None
            if session.live and (
                shape is not None or with_plan or session.last_active_organization_id is not None
            ):
                # Read together, and last: what the token says was true at one instant.
                session, organization = await self._in_organization(session_id)
            _require(session, template)
            custom = None if shape is None else self._shaping.filled(shape, session, organization)
            claims = self._claims(
                session,
                shape.template if shape is not None and template is not None else None,
                custom,
                organization,
                user_plan,
                expires_in_seconds=expires_in_seconds,
                origin=origin,
                now_seconds=issued_seconds(seconds, cutoff_at, session, organization),
            )
            # No await between the read and the signature: no end of the session can be acknowledged in
            # between by this process (adr/0006-signing-in-the-loop.md).
            token = self._signed(claims, shape, jws.TEMPLATE if template is not None else jws.SESSION)
            if token is not None:
                self._note_activity(session, now)
                return token
            await self._keys.record(claims)
        raise Unavailable

    async def verify(self, token: str) -> Mapping[str, object]:
        """The claims of a session token that is good now and whose session lives. Raises
        InvalidSessionToken."""
        claims = await self._open(token)
        session_id = claims.get("sid")
        held = await self._context.store.session(session_id) if isinstance(session_id, str) else None
        if held is None:
            raise InvalidSessionToken
        now = self._context.clock.now()
        session = lifecycle.settle(held.session, held.cutoffs, now)
        if not session.live or claims.get("sub") != session.user_id:
            raise InvalidSessionToken
        self._note_activity(session, now)
        return claims

    async def verify_session(self, session_id: str, token: str) -> Session:
        """The live session that the token was made from (operation VerifySession).

        Raises NotFound when there is no such session, the token is another's, or the session has ended, and
        InvalidSessionToken when the token itself is not good.
        """
        claims = await self._open(token)
        held = await self._context.store.session(session_id)
        if held is None or claims.get("sid") != session_id or claims.get("sub") != held.session.user_id:
            raise NotFound("session", session_id)
        now = self._context.clock.now()
        session = lifecycle.settle(held.session, held.cutoffs, now)
        if not session.live:
            raise NotFound("live session", session_id)
        self._note_activity(session, now)
        return session

    async def settle(self) -> None:
        """Wait until the activity noted so far is written."""
        while self._touching:
            await asyncio.gather(*self._touching.values(), return_exceptions=True)

    async def _shape(self, session: Session, template: str | None) -> Shape | None:
        if template is not None:
            return await self._shaping.by_name(template, session)
        if self._context.policy.session_token_template is None:
            return None
        return await self._shaping.of_session_token(session)

    def _claims(
        self,
        session: Session,
        made_by: Template | None,
        custom: dict[str, object] | None,
        organization: ActiveOrganization | None,
        user_plan: Plan | None,
        *,
        expires_in_seconds: int | None,
        origin: str | None,
        now_seconds: int,
    ) -> dict[str, object]:
        """The claims of a token by a template, or of a session token with the template's before its own."""
        jti = self._context.entropy.bytes(_JTI_BYTES).hex()
        if made_by is not None:
            return template_claims(
                made_by,
                session,
                custom=custom or {},
                issuer=self._settings.issuer,
                now_seconds=now_seconds,
                lifetime_seconds=expires_in_seconds,
                jti=jti,
                azp=origin,
            )
        claims = session_claims(
            session,
            issuer=self._settings.issuer,
            now_seconds=now_seconds,
            lifetime_seconds=expires_in_seconds or self._context.policy.token_lifetime_seconds,
            jti=jti,
            version=self._settings.version,
            azp=origin,
            organization=organization,
            user_plan=user_plan,
        )
        return claims if custom is None else {**custom, **claims}

    def _signed(self, claims: dict[str, object], shape: Shape | None, category: str) -> str | None:
        """The token; None when its `exp` has to be put on record first. Raises ClaimsTooLarge."""
        if shape is None:
            return self._keys.sign(claims, category=category)
        try:
            if shape.key is not None:
                # Whoever verifies it was told of the key by the application: nothing here publishes it.
                return sign_custom(claims, shape.key, category=category)
            return self._keys.sign(claims, category=category)
        except ValueError:
            raise too_large(shape.template) from None

    async def _in_organization(self, session_id: str) -> tuple[Session, ActiveOrganization | None]:
        """A session with its organization and what the user may do there; without, if the user is no member
        any more."""
        found = await self._context.store.session_in_organization(session_id)
        if found is None:
            raise NotFound("session", session_id)
        session = lifecycle.settle(found.held.session, found.held.cutoffs, self._context.clock.now())
        if found.organization is None or found.membership is None:
            return session, None
        permissions = self._context.roles.permissions_of(found.membership.role)
        membership = replace(found.membership, permissions=permissions)
        plan = self._context.plans.of_organization(found.organization.public_metadata)
        return session, ActiveOrganization(organization=found.organization, membership=membership, plan=plan)

    async def _user_plan(self, session: Session, shape: Shape | None) -> Plan | None:
        """The plan that the user has, for a session token."""
        user = shape.user if shape is not None else await self._context.store.user(session.user_id)
        return None if user is None else self._context.plans.of_user(user.public_metadata)

    async def _open(self, token: str) -> Mapping[str, object]:
        try:
            verified = await self._keys.verify(token)
            jws.check_category(verified.header, jws.SESSION)
            jws.check(verified.claims, now_ms=self._context.clock.wall(), issuer=self._settings.issuer)
        except jws.TokenError as error:
            raise InvalidSessionToken(f"The session token is refused: {error.reason.value}.") from None
        return verified.claims

    def _note_activity(self, session: Session, now: int) -> None:
        """Write the activity behind the answer, at most once in the policy's interval."""
        interval = self._context.policy.touch_interval_seconds * 1000
        if now - session.last_active_at < interval or session.id in self._touching:
            return
        task = asyncio.create_task(self._touch(session.id, now))
        self._touching[session.id] = task
        task.add_done_callback(lambda _: self._touching.pop(session.id, None))

    async def _touch(self, session_id: str, now: int) -> None:
        try:
            await self._context.store.touch(session_id, now=now)
        except SojournError as error:
            # The token stands on its own; what is lost is one minute of accuracy of an inactivity limit.
            _log.warning("activity not written", extra={"session_id": session_id, "error": error.code})
        except Exception:
            _log.exception("activity not written", extra={"session_id": session_id})


def _require(session: Session, template: str | None) -> None:
    """Raises NotFound unless a token may be made."""
    if not session.live:
        raise NotFound("live session", session.id)
    if template is not None and session.status is Status.PENDING:
        raise NotFound("session without open tasks", session.id)
