"""Handshakes (operations handshakeClient, syncClient): how a server that renders pages is told who is signed
in, by way of the browser (wire/server-sdks.md section 6)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from sojourn.core import cookies
from sojourn.core.errors import Invalid, NotAMember, NotFound
from sojourn.http.frontend.calls import Access, FrontCall, FrontOperation, Redirect, with_parameters
from sojourn.http.frontend.held import hand_over, recognised, tell_uat
from sojourn.http.frontend.navigation import redirect_url
from sojourn.http.frontend.sessions import membership_of
from sojourn.http.problems import Problem
from sojourn.service.clients import Recognised
from sojourn.service.handshakes import HANDSHAKE_SECONDS

_FORMATS: Final = ("token", "nonce")
_SYNCED: Final = "__clerk_synced"
_DEV_BROWSER: Final = "__clerk_db_jwt"


async def handshake(call: FrontCall) -> object:
    """Send the browser back to the server with the cookies that it is to set, behind a nonce or in a token.

    What the query says of a session is not looked at: the browser is known by its credential alone.
    """
    target = redirect_url(call)
    form = call.asked("format") or "token"
    if form not in _FORMATS:
        raise Invalid("format", "format must be nonce or token.")
    found = await recognised(call)
    if found is not None:
        found = await _in_organization(call, found)
    covered, domain = _reach(call, target)
    directives = [
        *await call.sojourn.handshakes.directives(
            found,
            redirect_url=target,
            with_suffix=call.asked("suffixed_cookies") == "true",
            domain=domain,
        )
    ]
    if not call.sojourn.frontend.production and call.asked(_DEV_BROWSER) is None:
        directives += _dev_browser(call, target)
    by_cookie = covered and call.sojourn.frontend.production
    name = cookies.HANDSHAKE_NONCE if form == "nonce" else cookies.HANDSHAKE
    secure = urlsplit(target).scheme == "https"
    if by_cookie:
        # The server takes it away again, so that it is redeemed once.
        directives.append(
            cookies.cookie(name, "", secure=secure, http_only=True, domain=domain, max_age_seconds=0)
        )
    elif form == "token" and call.sojourn.frontend.production:
        raise _out_of_reach()
    value = await (
        call.sojourn.handshakes.nonce(directives, client=found)
        if form == "nonce"
        else call.sojourn.handshakes.token(directives)
    )
    if by_cookie:
        call.set_cookie(
            cookies.cookie(
                name,
                value,
                secure=secure,
                http_only=True,
                domain=domain,
                max_age_seconds=HANDSHAKE_SECONDS,
            )
        )
        return Redirect(location=_synced(call, target))
    return Redirect(location=with_parameters(_synced(call, target), **{name: value}))


async def sync(call: FrontCall) -> object:
    """Give a browser the cookies that pages of a satellite need, and send it back there."""
    target = redirect_url(call)
    found = await recognised(call)
    if found is not None and not found.renewed:
        hand_over(call, found.token, page=_origin(target))
    tell_uat(call, None if found is None else found.view)
    return Redirect(location=with_parameters(target, **{_SYNCED: "true"}))


async def _in_organization(call: FrontCall, found: Recognised) -> Recognised:
    """The client with the organization that is asked for in the session in front; one that the user does not
    belong to changes nothing (spec handshakeClient)."""
    asked, session = call.asked("organization_id"), found.view.last_active
    if asked is None or session is None:
        return found
    try:
        chosen = None if asked == "" else await membership_of(call, session.user_id, asked)
        await call.sojourn.sessions.set_organization(session.id, chosen)
    except (Problem, NotFound, NotAMember, Invalid):
        return found
    return found


def _dev_browser(call: FrontCall, target: str) -> list[str]:
    """What tells a server of a development instance that the browser was here; without it, it would send the
    browser round again and again (wire/server-sdks.md section 6.1, step 4). It opens nothing."""
    key, secure = call.sojourn.instance.publishable_key, urlsplit(target).scheme == "https"
    names = (_DEV_BROWSER, cookies.suffixed(_DEV_BROWSER, key))
    age = cookies.YEAR_SECONDS
    return [
        cookies.cookie(name, "dvb_handshake", secure=secure, http_only=False, max_age_seconds=age)
        for name in names
    ]


def _reach(call: FrontCall, target: str) -> tuple[bool, str | None]:
    """Whether a cookie that is set here comes to the server of a URL, and with which domain: its own host's,
    or one that the configured domain covers. Ports do not matter to cookies."""
    host, domain = urlsplit(target).hostname or "", call.sojourn.frontend.cookie_domain
    if domain is not None and (host == domain or host.endswith(f".{domain}")):
        return True, domain
    return domain is None and host == call.visitor.host, None


def _synced(call: FrontCall, target: str) -> str:
    """A page on another site takes note that it was brought up to date, and does not ask again."""
    if _origin(target) not in call.sojourn.frontend.satellites:
        return target
    return with_parameters(target, **{_SYNCED: "true"})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _out_of_reach() -> Problem:
    return Problem(
        400,
        "handshake_format_not_allowed",
        "A handshake token would stand in a URL.",
        "A session token is put into no URL of a production instance: use format=nonce, or set cookie_domain "
        "so that a cookie reaches the application.",
    )


OPERATIONS = (
    FrontOperation(
        method="GET",
        path="/v1/client/handshake",
        name="handshakeClient",
        handler=handshake,
        access=Access.NAVIGATION,
        differs="a session token in the query is not looked at; with a `pk_live_` key the payload comes in a "
        "cookie where one reaches the server, else behind a nonce",
    ),
    FrontOperation(
        method="GET",
        path="/v1/client/sync",
        name="syncClient",
        handler=sync,
        access=Access.NAVIGATION,
        differs="one service for all domains: it leads straight back",
    ),
)
