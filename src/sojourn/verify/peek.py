"""What a token says before it is checked: to choose among cookies and to name a refusal, nothing else."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final, NamedTuple

from sojourn.tokens import jws
from sojourn.tokens.encoding import b64url_decode, decode_object
from sojourn.tokens.jws import MAX_HEADER_BYTES, MAX_TOKEN_BYTES

IGNORE: Final = "cl_I7d4PD111III"
"""Header `cat` of instances that do not tell kinds apart (wire/server-sdks.md, section 5)."""
MACHINE_SUBJECT: Final = "mch_"
_ACCESS_TOKEN_TYPES: Final = ("at+jwt", "application/at+jwt")
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)


class Peek(NamedTuple):
    """Unverified members of a token."""

    has_issuer: bool
    kid: str | None
    issuer_host: str | None
    """`iss` without its scheme; None unless it is a string."""
    issued_at: float
    """0 where `iat` is no number."""
    expires_at: float | None
    session_id: str | None
    of_another_class: bool
    """Says of itself that it is a machine's, a template's or another token than a session's."""


# Small, as it holds what anybody sends; it spares a browser's page from being decoded for each of its files.
@lru_cache(maxsize=512)
def peek(token: str) -> Peek | None:
    """The members of a token that decodes, or None. Never raises."""
    parts = token.split(".") if len(token) <= MAX_TOKEN_BYTES else []
    if len(parts) != 3 or len(parts[0]) > MAX_HEADER_BYTES:
        return None
    try:
        header, claims = (decode_object(b64url_decode(part.encode("ascii"))) for part in parts[:2])
        b64url_decode(parts[2].encode("ascii"))
    except ValueError:
        return None
    issuer, subject, category = claims.get("iss"), claims.get("sub"), header.get("cat")
    session_id, kid = claims.get("sid"), header.get("kid")
    machine = header.get("typ") in _ACCESS_TOKEN_TYPES or (
        isinstance(subject, str) and subject.startswith(MACHINE_SUBJECT)
    )
    return Peek(
        has_issuer=bool(issuer),
        kid=kid if isinstance(kid, str) else None,
        issuer_host=_SCHEME.sub("", issuer) if isinstance(issuer, str) else None,
        issued_at=_number(claims.get("iat")) or 0,
        expires_at=_number(claims.get("exp")),
        session_id=session_id if isinstance(session_id, str) and session_id else None,
        of_another_class=machine or ("cat" in header and category not in (jws.SESSION, IGNORE)),
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None
