"""Addresses that a browser goes to as a whole (operation acceptTicket; client/touch, which only the browser
SDK knows: wire/frontend-api.md section 7)."""

from __future__ import annotations

import re

from sojourn.core.errors import Invalid, Missing
from sojourn.http.frontend.calls import Access, FrontCall, FrontOperation, Redirect, with_parameters
from sojourn.http.frontend.held import hand_over, recognised, tell_uat
from sojourn.http.problems import Problem
from sojourn.service.frontend import FrontendSettings

_TICKET = re.compile(r"[A-Za-z0-9_.-]{1,4096}")


async def touch_client(call: FrontCall) -> object:
    """Give a browser its cookies anew, and send it on.

    Browsers that keep what a script sets for a few days only keep what comes with a navigation for longer.
    """
    target = redirect_url(call)
    found = await recognised(call)
    if found is not None and not found.renewed:
        hand_over(call, found.token)
    tell_uat(call, None if found is None else found.view)
    return Redirect(location=target)


async def accept_ticket(call: FrontCall) -> object:
    """Send the holder of a ticket to the application's page that signs in by it. It is not used up."""
    ticket = call.asked("ticket")
    if not ticket:
        raise Missing("ticket", "ticket must be given.")
    if _TICKET.fullmatch(ticket) is None:
        raise Invalid("ticket", "ticket is none of this service.")
    page = _sign_in_page(call.sojourn.frontend)
    # A sign-in is an explicit act: the page redeems the ticket, no address does (RELIABILITY C-06).
    return Redirect(
        location=with_parameters(page, __clerk_ticket=ticket, __clerk_status="sign_in"), status=303
    )


def redirect_url(call: FrontCall, name: str = "redirect_url") -> str:
    """Where to send the browser. Raises Missing, and Problem 400 for a page that is not an allowed one."""
    given = call.asked(name)
    if not given:
        raise Missing(name, f"{name} must be given.")
    target = call.sojourn.frontend.safe_redirect(given)
    if target is None:
        raise Problem(
            400,
            "redirect_url_invalid",
            "The address to return to is not allowed.",
            f"{name} has to be an absolute URL on one of the allowed origins.",
            meta={"param_name": name},
        )
    return target


def _sign_in_page(settings: FrontendSettings) -> str:
    page = settings.sign_in_url
    if page is None and settings.first_origin is not None:
        page = f"{settings.first_origin}/"
    if page is None:
        raise Problem(
            400,
            "sign_in_url_missing",
            "There is no page to sign in on.",
            "The service does not know the application's page for tickets: sign_in_url is not set.",
        )
    return page


OPERATIONS = (
    FrontOperation(
        method="GET",
        path="/v1/client/touch",
        name="touchClient",
        handler=touch_client,
        access=Access.NAVIGATION,
        differs="published nowhere; the browser SDK goes there",
    ),
    FrontOperation(
        method="GET",
        path="/v1/tickets/accept",
        name="acceptTicket",
        handler=accept_ticket,
        access=Access.NAVIGATION,
        differs="redeems nothing: it leads to `sign_in_url` with `__clerk_ticket`",
    ),
)
