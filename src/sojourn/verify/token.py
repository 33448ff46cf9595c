"""One session token, looked at for the first time: signature, kind, claims."""

from __future__ import annotations

import math
from typing import Any, Final, cast

from sojourn.tokens import jws
from sojourn.tokens.encoding import decode_object
from sojourn.tokens.jws import Keys, TokenError
from sojourn.verify.options import Options
from sojourn.verify.outcomes import SignedIn, SignedOut
from sojourn.verify.peek import IGNORE, MACHINE_SUBJECT, peek
from sojourn.verify.reasons import Reason

_FOREVER_MS: Final = 2**62


def check_token(
    text: str, *, keys: Keys, options: Options, issuer: str | None, now_ms: int, skew_ms: int
) -> SignedIn | SignedOut:
    """Whether a text is a good session token at `now_ms` (Unix ms). Raises nothing, whatever the text.

    A key that there is not gives JWK_KID_MISMATCH; the caller may look for it and ask again.
    """
    try:
        header, payload = jws.verify_signature(text, keys)
        claims = _claims(payload)
        if header.cat != jws.SESSION and not _may_pass(header.cat, options):
            return SignedOut(reason=Reason.TOKEN_TYPE_MISMATCH)
        if options.audience is not None:
            _check_audience(claims, options)
        jws.check(
            claims,
            now_ms=now_ms,
            skew_ms=skew_ms,
            issuer=issuer,
            authorized_parties=options.authorized_parties,
        )
    except TokenError as error:
        return SignedOut(reason=_reason(text, error))
    if claims["sub"].startswith(MACHINE_SUBJECT):
        return SignedOut(reason=Reason.TOKEN_TYPE_MISMATCH)
    session_id, issued_at = claims.get("sid"), claims.get("iat", 0)
    until = claims["exp"] * 1000 + skew_ms
    if options.max_age_ms is not None:
        # Without `iat` there is no telling how old it is: as if from the beginning.
        until = min(until, issued_at * 1000 + options.max_age_ms + skew_ms)
        if until <= now_ms:
            return SignedOut(reason=Reason.TOKEN_TOO_OLD)
    pending = claims.get("sts") == "pending"
    if pending and not options.accept_pending:
        return SignedOut(reason=Reason.SESSION_PENDING)
    return SignedIn(
        session_id=session_id if isinstance(session_id, str) and session_id else None,
        user_id=claims["sub"],
        issued_at=int(issued_at),
        kid=header.kid,
        payload=payload,
        token=text,
        # Rounded so that a remembered token is never good where a fresh look would refuse it.
        good_from_ms=math.ceil(max(claims.get("nbf", 0), issued_at) * 1000 - skew_ms),
        good_until_ms=math.ceil(until) if until < _FOREVER_MS else _FOREVER_MS,
        pending=pending,
    )


def _claims(payload: bytes) -> dict[str, Any]:
    if not payload:
        raise TokenError(jws.Reason.TOKEN_INVALID, "the payload is empty")
    try:
        return cast("dict[str, Any]", decode_object(payload))
    except ValueError:
        raise TokenError(
            jws.Reason.TOKEN_VERIFICATION_FAILED, "the payload is not one strict object"
        ) from None


def _may_pass(category: object, options: Options) -> bool:
    """Whether a token that does not say of itself that it is a session's may be one."""
    return options.accept_uncategorised and (category == IGNORE or not isinstance(category, str))


def _check_audience(claims: dict[str, Any], options: Options) -> None:
    audience = claims.get("aud")
    if not audience:
        return
    named = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in (options.audience or ()) for one in named):
        raise TokenError(jws.Reason.TOKEN_VERIFICATION_FAILED, "aud names none of the audiences")


def _reason(text: str, error: TokenError) -> Reason:
    """Why it is refused, in the order of `@clerk/backend`: of another class before anything else."""
    shown = peek(text)
    if shown is not None and shown.of_another_class:
        return Reason.TOKEN_TYPE_MISMATCH
    if shown is None and error.reason is jws.Reason.JWK_KID_MISMATCH:
        # No token at all, whether or not its key has been fetched by now.
        return Reason.TOKEN_INVALID
    return Reason(error.reason.value)
