"""Clients (operations GetClientList and GetClient; wire/backend-api.md section 1.2)."""

from __future__ import annotations

from sojourn.core.session import Status
from sojourn.http.backend.sessions import to_wire
from sojourn.http.routes import Call, Operation
from sojourn.http.versions import Version
from sojourn.http.wire import boolean, integer
from sojourn.service.clients import ClientView
from sojourn.service.context import PAGE_LIMIT


async def list_clients(call: Call) -> object:
    """Newest first; served in every version, though deprecated in the published API."""
    query = call.query()
    paginated = boolean(query, "paginated")
    page = await call.sojourn.clients.list(
        limit=integer(query, "limit", 10, least=1, most=PAGE_LIMIT),
        offset=integer(query, "offset", 0, least=0),
        count=paginated,
    )
    data = [_to_wire(view, call.version) for view in page.items]
    return {"data": data, "total_count": page.total} if paginated else data


async def get_client(call: Call) -> object:
    """One client with its sessions."""
    return _to_wire(await call.sojourn.clients.get(call.id), call.version)


def _to_wire(view: ClientView, version: Version) -> dict[str, object]:
    sessions = view.sessions
    if not version.knows_pending:
        sessions = [session for session in sessions if session.status is not Status.PENDING]
    wire = view.client.to_wire(sessions)
    wire["sessions"] = [to_wire(session, version) for session in sessions]
    if not version.knows_strategy:
        del wire["last_authentication_strategy"]
    return wire


OPERATIONS = (
    Operation(method="GET", path="/v1/clients", name="GetClientList", handler=list_clients),
    Operation(method="GET", path="/v1/clients/{client_id}", name="GetClient", handler=get_client),
)
