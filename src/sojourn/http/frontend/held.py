"""The client that a request comes from, and the cookies and headers that its browser is given."""

from __future__ import annotations

from sojourn.core import cookies
from sojourn.core.session import Session
from sojourn.http.frontend.calls import FrontCall, signed_out
from sojourn.http.frontend.views import client_view
from sojourn.service.clients import ClientView, Recognised


async def recognised(call: FrontCall) -> Recognised | None:
    """The client that calls, None when its credential opens nothing. A credential that was replaced a moment
    ago is replaced in the browser too."""
    found = await call.sojourn.clients.recognise(call.visitor.credential)
    if found is not None and found.renewed:
        hand_over(call, found.token)
    return found


async def required(call: FrontCall) -> Recognised:
    """The client that calls. Raises Problem 401."""
    found = await recognised(call)
    if found is None:
        raise signed_out()
    return found


async def acting(call: FrontCall) -> tuple[Recognised, Session]:
    """The client and the session that acts: the one that the page names, else the one in front (paths
    below /me). Raises Problem 401."""
    found = await required(call)
    named = call.asked("_clerk_session_id")
    session = found.view.last_active if named is None else live(found.view, named)
    if session is None:
        raise signed_out()
    return found, session


def live(view: ClientView, session_id: str) -> Session | None:
    """A live session of a client, None when it holds none with this id."""
    return next((session for session in view.live if session.id == session_id), None)


async def wrapped(call: FrontCall, response: object, view: ClientView) -> dict[str, object]:
    """The envelope: an answer with the client as it stands now (wire/frontend-api.md section 2)."""
    shown = await client_view(call, view.client, view.sessions)
    tell_uat(call, view)
    return {"response": response, "client": shown}


def hand_over(call: FrontCall, token: str, *, page: str | None = None) -> None:
    """Give the browser the credential to present from now on, from pages of that origin or the one that
    calls; an empty one takes it away."""
    visitor = call.visitor
    if visitor.native:
        call.headers.append((b"authorization", token.encode("ascii")))
        return
    if visitor.developing:
        call.headers.append((b"clerk-db-jwt", token.encode("ascii")))
        return
    call.set_cookie(
        cookies.client(
            token,
            secure=visitor.secure,
            domain=call.sojourn.frontend.cookie_domain,
            same_site=_same_site(call, page),
        )
    )


def tell_uat(call: FrontCall, view: ClientView | None) -> None:
    """Say in `__client_uat` and its twin since when the client is as it is, where the browser has it
    otherwise. In development the browser SDK writes the cookie itself (wire/frontend-api.md section 1)."""
    visitor, settings = call.visitor, call.sojourn.frontend
    if visitor.native or visitor.developing or not settings.production:
        return
    key = call.sojourn.instance.publishable_key
    seconds = call.sojourn.clients.uat(view)
    names = (cookies.CLIENT_UAT, cookies.suffixed(cookies.CLIENT_UAT, key))
    known = [cookies.read(visitor.cookies, name) for name in names]
    if known == [str(seconds)] * 2 or (seconds == 0 and known == [None, None] and not visitor.cookies):
        return
    for text in cookies.client_uat(
        seconds,
        publishable_key=key,
        secure=visitor.secure,
        domain=settings.cookie_domain,
        same_site=_same_site(call),
    ):
        call.set_cookie(text)


def _same_site(call: FrontCall, page: str | None = None) -> cookies.SameSite:
    """Lax, unless a page of another site has to be served: cookies are sent to it with None alone, and that
    only over https."""
    satellite = (page or call.visitor.origin) in call.sojourn.frontend.satellites
    return "None" if satellite and call.visitor.secure else "Lax"
