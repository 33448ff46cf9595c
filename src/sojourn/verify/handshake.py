"""The round trip of a browser to the service: where it is sent, and what it brings back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from sojourn.tokens import jws
from sojourn.tokens.jws import Keys, TokenError
from sojourn.verify import cookies
from sojourn.verify.context import Context, Site, address_of, form
from sojourn.verify.options import Options
from sojourn.verify.outcomes import Handshake, SignedOut
from sojourn.verify.paths import organization_parameter
from sojourn.verify.peek import IGNORE
from sojourn.verify.reasons import Reason

API_VERSION: Final = "2026-05-12"
"""The version of the published API whose handshake this is (wire/server-sdks.md, section 6.1)."""
SYNCED: Final = "__clerk_synced"
REDIRECT_URL: Final = "__clerk_redirect_url"
MAX_REDIRECTS: Final = 3
"""So often is a browser sent away within two seconds; then something is wrong, and it stays signed out."""
MAX_DIRECTIVES: Final = 32
_LEGACY_DEV_BROWSER: Final = "__dev_session"
_HELP: Final = "__clerk_help"


def send(
    context: Context,
    reason: Reason,
    *,
    options: Options,
    site: Site,
    refresh: str | None = None,
    location: str | None = None,
) -> Handshake | SignedOut:
    """A handshake where the request is a page load that has not been sent round too often; else signed out
    for the same reason. `location` where it goes to another place than the service."""
    if not context.page or context.redirects >= MAX_REDIRECTS:
        return SignedOut(reason=reason, refresh=refresh)
    place = location or _location(context, _code(reason, refresh), options, site)
    count = f"{cookies.REDIRECT_COUNT}={context.redirects + 1}; SameSite=Lax; HttpOnly; Max-Age=2"
    return Handshake(reason=reason, refresh=refresh, location=place, cookies=(count,))


def to_primary(context: Context, options: Options) -> str | None:
    """Where a satellite in development sends its newcomer: the sign-in page, which sends it back. None
    without a usable sign_in_url."""
    target = address_of(options.sign_in_url or "")
    if target is None:
        return None
    here = context.address.without()
    return urlunsplit(
        target.parts._replace(query=form([*target.parameters, (REDIRECT_URL, _with_query(context, here))]))
    )


def back_to_satellite(context: Context, redirect_url: str) -> str | None:
    """Where a primary in development sends a satellite's browser back to, with its dev browser; None when
    that is no http or https URL."""
    target = address_of(redirect_url)
    if target is None:
        return None
    parameters = list(target.parameters)
    if context.dev_browser:
        parameters.append((cookies.DEV_BROWSER, context.dev_browser))
    place = next((n for n, pair in enumerate(parameters) if pair[0] == SYNCED), len(parameters))
    kept = [pair for pair in parameters[place:] if pair[0] != SYNCED]
    return urlunsplit(target.parts._replace(query=form([*parameters[:place], (SYNCED, "true"), *kept])))


def cleaned(context: Context) -> str:
    """The address of the request without what a handshake put there."""
    return context.address.without(cookies.HANDSHAKE, _HELP, cookies.DEV_BROWSER, cookies.HANDSHAKE_NONCE)


def open_token(token: str, *, keys: Keys, now_ms: int, skew_ms: int) -> tuple[str, ...] | Reason:
    """The cookies in a handshake token, or why it is none.

    Only of the kind that the service makes: a template, whose author could put any `handshake` claim into
    it, is refused.
    """
    try:
        header, claims = jws.verify(token, keys)
    except TokenError as error:
        return Reason(error.reason.value)
    if header.cat not in (jws.SESSION, IGNORE):
        return Reason.TOKEN_INVALID
    until = claims.get("exp")
    if until is not None and not _runs(until, now_ms - skew_ms):
        return Reason.TOKEN_EXPIRED
    found = claims.get("handshake")
    return directives_of(found if isinstance(found, list) else [])  # pyright: ignore[reportUnknownArgumentType]


def directives_of(found: Iterable[object]) -> tuple[str, ...]:
    """The Set-Cookie lines among what the service sent: bounded, and none that could break out of its
    header."""
    lines: list[str] = []
    for line in found:
        if isinstance(line, str) and line.isprintable() and len(lines) < MAX_DIRECTIVES:
            lines.append(line)
    return tuple(lines)


def session_token_of(directives: Iterable[str]) -> str | None:
    """The session token that Set-Cookie lines set, the last one where there are several."""
    token = ""
    for line in directives:
        name, _, value = line.partition(";")[0].partition("=")
        if name.startswith(cookies.SESSION):
            token = value.partition("=")[0]
    return token or None


def _location(context: Context, code: str, options: Options, site: Site) -> str:
    base = site.frontend
    if base.startswith("/"):
        base = context.address.origin + base
    elif not base.startswith("http"):
        base = f"https://{base}"
    place = context.address.without(cookies.DEV_BROWSER, _LEGACY_DEV_BROWSER)
    parameters = [
        ("redirect_url", place),
        ("__clerk_api_version", API_VERSION),
        ("suffixed_cookies", "true" if context.chosen.suffixed else "false"),
        ("__clerk_hs_reason", code),
        ("format", "nonce"),
    ]
    token = context.chosen.sessions[0] if context.chosen.sessions else context.header_token
    if token:
        parameters.append((cookies.SESSION, token))
    if site.development and context.dev_browser:
        parameters.append((cookies.DEV_BROWSER, context.dev_browser))
    organization = organization_parameter(context.address.parts.path, options)
    if organization is not None:
        parameters.append(("organization_id", organization))
    parts = urlsplit(urljoin(base.rstrip("/") + "/", "v1/client/handshake"))
    return urlunsplit(parts._replace(query=form(parameters)))


def _with_query(context: Context, plain: str) -> str:
    # Unlike a handshake's address, this one is passed on as it stands.
    return urlunsplit(context.address.parts) if context.address.parts.query else plain


def _code(reason: Reason, refresh: str | None) -> str:
    return f"{reason.value}-refresh-{refresh}" if refresh is not None else reason.value


def _runs(until: object, now_ms: int) -> bool:
    if isinstance(until, bool) or not isinstance(until, int | float):
        return False
    return math.isfinite(until) and until * 1000 > now_ms
