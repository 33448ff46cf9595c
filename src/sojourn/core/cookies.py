"""Cookies as the browser SDK and its servers know them: names, suffix, attributes, and how a header is read.

Pure text. What is read is compared byte for byte (RFC 6265, section 5.4): nothing is trimmed of quotes or
decoded, and a name that stands in a request twice counts as absent, since one of the two may have been tossed
in from a neighbouring host (RELIABILITY C-09).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Final, Literal

CLIENT: Final = "__client"
CLIENT_UAT: Final = "__client_uat"
SESSION: Final = "__session"
REFRESH: Final = "__refresh"
HANDSHAKE: Final = "__clerk_handshake"
HANDSHAKE_NONCE: Final = "__clerk_handshake_nonce"

YEAR_SECONDS: Final = 365 * 86_400
"""How long the browser keeps what stays; browsers cap it at 400 days."""
MAX_BYTES: Final = 4096
"""The most that browsers take for name, value and attributes together (RFC 6265bis, section 5.6)."""

SameSite = Literal["Lax", "None", "Strict"]


def suffix(publishable_key: str) -> str:
    """What tells the cookies of one instance from another's on the same host: the first eight characters of
    the SHA-1 of the publishable key's text in URL-safe base64 (wire/frontend-api.md section 5). The text
    counts: with and without padding a key has two suffixes."""
    digest = hashlib.sha1(publishable_key.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:8]


def suffixed(name: str, publishable_key: str) -> str:
    """The name with the suffix of an instance."""
    return f"{name}_{suffix(publishable_key)}"


def cookie(
    name: str,
    value: str,
    *,
    secure: bool,
    http_only: bool,
    domain: str | None = None,
    max_age_seconds: int | None = None,
    same_site: SameSite = "Lax",
) -> str:
    """The value of a Set-Cookie header (RFC 6265, section 4.1), for the whole host.

    `domain` None keeps it on the very host that sets it; `max_age_seconds` None until the browser is closed,
    0 removes it. No browser takes `SameSite=None` without `secure`. Raises ValueError for a value that a
    cookie cannot carry and for more than a browser would keep.
    """
    parts = [f"{name}={value}", "Path=/"]
    if domain is not None:
        parts.append(f"Domain={domain}")
    if max_age_seconds is not None:
        parts.append(f"Max-Age={max_age_seconds}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    parts.append(f"SameSite={same_site}")
    text = "; ".join(parts)
    if not all(character in _OCTETS for character in value) or any(c in _BREAKS for c in f"{name}{domain}"):
        raise ValueError("a cookie cannot carry this")
    if len(text) > MAX_BYTES:
        raise ValueError(f"the cookie {name} would be longer than {MAX_BYTES} bytes")
    return text


def client(token: str, *, secure: bool, domain: str | None = None, same_site: SameSite = "Lax") -> str:
    """`__client` with this token; an empty one removes it."""
    age = YEAR_SECONDS if token else 0
    return cookie(
        CLIENT, token, secure=secure, http_only=True, domain=domain, max_age_seconds=age, same_site=same_site
    )


def client_uat(
    seconds: int,
    *,
    publishable_key: str,
    secure: bool,
    domain: str | None = None,
    same_site: SameSite = "Lax",
) -> tuple[str, str]:
    """`__client_uat` and its suffixed twin; 0 says that nobody is signed in. Pages read them."""
    plain, twin = (
        cookie(
            name,
            str(seconds),
            secure=secure,
            http_only=False,
            domain=domain,
            max_age_seconds=YEAR_SECONDS,
            same_site=same_site,
        )
        for name in (CLIENT_UAT, suffixed(CLIENT_UAT, publishable_key))
    )
    return plain, twin


def session(token: str, *, publishable_key: str, secure: bool, with_suffix: bool) -> tuple[str, ...]:
    """`__session` of the application's host, with its suffixed twin where that is asked for; an empty token
    removes it. Pages read it: the browser SDK writes it too."""
    twin = (suffixed(SESSION, publishable_key),) if with_suffix else ()
    age = YEAR_SECONDS if token else 0
    return tuple(
        cookie(name, token, secure=secure, http_only=False, max_age_seconds=age) for name in (*twin, SESSION)
    )


def refresh(token: str, *, publishable_key: str, secure: bool) -> str:
    """`__refresh_<suffix>` of the application's host, for its server alone; an empty token removes it."""
    name = suffixed(REFRESH, publishable_key)
    age = YEAR_SECONDS if token else 0
    return cookie(name, token, secure=secure, http_only=True, max_age_seconds=age)


def read(headers: Iterable[bytes], name: str) -> str | None:
    """The value of a cookie in the Cookie headers of a request, None when it is absent or there twice."""
    wanted = name.encode("ascii") + b"="
    found = {
        index: pair[len(wanted) :]
        for index, pair in enumerate(pair.strip(b" \t") for header in headers for pair in header.split(b";"))
        if pair.startswith(wanted)
    }
    if len(found) != 1:
        return None
    (value,) = found.values()
    return value.decode("latin-1") if value else None


_OCTETS: Final = frozenset(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '",;\\')
"""cookie-octet of RFC 6265, section 4.1.1."""
_BREAKS: Final = ";,= \t\r\n\0"
