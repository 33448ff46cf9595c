"""The client (operations getClient, putClient, postClient, deleteClientSessions,
removeClientSessionsAndRetainCookie)."""

from __future__ import annotations

from sojourn.http.frontend.calls import FrontCall, FrontOperation
from sojourn.http.frontend.held import hand_over, recognised, tell_uat
from sojourn.http.frontend.views import client_view
from sojourn.service.clients import ClientView


async def get_client(call: FrontCall) -> object:
    """Get the client that calls, with its sessions.

    A browser that is not known is no error: it would ask again and again.
    """
    found = await recognised(call)
    return await _bare(call, None if found is None else found.view)


async def create_client(call: FrontCall) -> object:
    """Make a client for the browser, or get the one it has."""
    found = await recognised(call)
    if found is None:
        found = await call.sojourn.clients.create()
        hand_over(call, found.token)
    shown = await client_view(call, found.view.client, found.view.sessions)
    tell_uat(call, found.view)
    return {"response": shown, "client": shown}


async def destroy_client(call: FrontCall) -> object:
    """Sign out of every session and forget the client."""
    found = await recognised(call)
    if found is None:
        return await _bare(call, None)
    view = await call.sojourn.clients.destroy(found)
    # What was handed over before in this very answer is taken back with the rest.
    call.headers.clear()
    hand_over(call, "")
    return await _bare(call, view)


async def remove_sessions(call: FrontCall) -> object:
    """Sign out of every session; the client stays."""
    found = await recognised(call)
    if found is None:
        return await _bare(call, None)
    held = await call.sojourn.clients.remove_sessions(found)
    if held.token != found.token:
        call.headers.clear()
        hand_over(call, held.token)
    return await _bare(call, held.view)


async def _bare(call: FrontCall, view: ClientView | None) -> dict[str, object]:
    """The client as the answer itself."""
    tell_uat(call, view)
    shown = None if view is None else await client_view(call, view.client, view.sessions)
    return {"response": shown, "client": None}


OPERATIONS = (
    FrontOperation(
        method="GET",
        path="/v1/client",
        name="getClient",
        handler=get_client,
        differs="200 with nothing in it, whatever credential there is or is not",
    ),
    FrontOperation(method="PUT", path="/v1/client", name="putClient", handler=create_client),
    FrontOperation(method="POST", path="/v1/client", name="postClient", handler=create_client),
    FrontOperation(
        method="DELETE",
        path="/v1/client",
        name="deleteClientSessions",
        handler=destroy_client,
    ),
    FrontOperation(
        method="DELETE",
        path="/v1/client/sessions",
        name="removeClientSessionsAndRetainCookie",
        handler=remove_sessions,
    ),
)
