"""Which cookies of a request are this instance's.

Several applications below one domain share its cookies, so each instance has a second set whose names end in
a suffix of its own, and a browser may hold both sets, of different ages. Which set counts follows the order
of `@clerk/backend` (wire/server-sdks.md, section 6.1). Everything here is read before any signature is
checked: it chooses which token to look at, never whether that is good.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from sojourn.verify.peek import Peek, peek

SESSION: Final = "__session"
CLIENT_UAT: Final = "__client_uat"
REFRESH: Final = "__refresh"
DEV_BROWSER: Final = "__clerk_db_jwt"
HANDSHAKE: Final = "__clerk_handshake"
HANDSHAKE_NONCE: Final = "__clerk_handshake_nonce"
REDIRECT_COUNT: Final = "__clerk_redirect_count"

MAX_HEADER_CHARACTERS: Final = 16_384
"""Longest Cookie header that is read (RELIABILITY, section 4, default 12); a longer one counts as empty."""
MAX_CANDIDATES: Final = 4
"""How many session cookies of one name are looked at; browsers send one for each domain and path."""

_OWS: Final = " \t"
_ESCAPES: Final = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*\Z")
_INTEGER: Final = re.compile(r"\s*([+-]?[0-9]{1,15})")


class Jar(NamedTuple):
    """The cookies of a request by name, each with all its values in the order they came."""

    values: dict[str, list[str]]

    def first(self, name: str) -> str | None:
        """The first value of a cookie, None where it is absent or empty."""
        found = self.values.get(name)
        return (found[0] or None) if found else None

    def all(self, name: str) -> list[str]:
        """The different values of a cookie, the empty one left out, no more than MAX_CANDIDATES."""
        found = self.values.get(name)
        if not found:
            return []
        if len(found) == 1:
            return found if found[0] else []
        return [value for value in dict.fromkeys(found) if value][:MAX_CANDIDATES]


class Chosen(NamedTuple):
    """The cookies that count for one instance."""

    suffixed: bool
    sessions: list[str]
    """The session token; more than one where the name was sent more than once."""
    refresh: str | None
    client_uat: int
    """When the client's sessions last changed, Unix seconds; 0 for signed out or absent."""
    dev_browser: str | None


def parse(header: str) -> Jar:
    """Read a Cookie header (RFC 6265, section 5.4), percent-escapes in values decoded.

    Only space and tab are trimmed: with other white space, an em quad and `__session` would pass for it.
    Never raises.
    """
    values: dict[str, list[str]] = {}
    if len(header) > MAX_HEADER_CHARACTERS:
        return Jar(values)
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        name = name.strip(_OWS)
        if equals and name:
            values.setdefault(name, []).append(_unescaped(value.strip(_OWS)))
    return Jar(values)


def choose(jar: Jar, *, suffix: str, frontend: str, production: bool, now_ms: int) -> Chosen:
    """The cookies of the instance whose Frontend API is `frontend`."""
    suffixed = _uses_suffix(jar, suffix, frontend, production, now_ms)
    end = f"_{suffix}" if suffixed else ""
    return Chosen(
        suffixed=suffixed,
        sessions=jar.all(SESSION + end),
        refresh=jar.first(f"{REFRESH}_{suffix}"),
        client_uat=leading_integer(jar.first(CLIENT_UAT + end)),
        dev_browser=jar.first(DEV_BROWSER + end),
    )


def leading_integer(text: str | None) -> int:
    """The integer that a text begins with, 0 for none."""
    match = _INTEGER.match(text) if text else None
    return int(match[1]) if match else 0


def _uses_suffix(jar: Jar, suffix: str, frontend: str, production: bool, now_ms: int) -> bool:
    plain = jar.first(SESSION)
    shown = peek(plain) if plain else None
    if plain and (shown is None or not shown.has_issuer):
        return False  # a malformed cookie is to end as signed out, not as a handshake
    if plain and shown is not None and shown.issuer_host != frontend:
        return True
    suffixed_uat, suffixed_session = jar.first(f"{CLIENT_UAT}_{suffix}"), jar.first(f"{SESSION}_{suffix}")
    if not suffixed_uat and not suffixed_session:
        return False
    suffixed_shown = peek(suffixed_session) if suffixed_session else None
    plain_uat = jar.first(CLIENT_UAT)
    if suffixed_uat != "0" and plain_uat != "0" and _issued(shown) > _issued(suffixed_shown):
        return False
    if suffixed_uat == "0" and plain_uat != "0":
        return False
    # In development clerk-js writes the suffixed instant, and an older one no longer does.
    if not production and plain_uat == "0" and suffixed_uat != "0" and _expired(suffixed_shown, now_ms):
        return False
    return bool(suffixed_uat)


def _issued(shown: Peek | None) -> float:
    return 0 if shown is None else shown.issued_at


def _expired(shown: Peek | None, now_ms: int) -> bool:
    return shown is not None and shown.expires_at is not None and shown.expires_at <= now_ms // 1000


def _unescaped(value: str) -> str:
    if "%" not in value or not _ESCAPES.match(value):
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value
