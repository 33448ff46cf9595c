"""Clients (operations GetClientList and GetClient; wire/backend-api.md section 1.2)."""

from __future__ import annotations

from sojourn.core.session import Status
from sojourn.http.backend.sessions import to_wire
from sojourn.http.parameters import LIMIT, OFFSET, PAGINATED
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.clients import Client
from sojourn.http.shapes.common import Page
from sojourn.http.versions import Version
from sojourn.service.clients import ClientView


async def list_clients(call: Call) -> object:
    """List clients, newest first."""
    query = call.query()
    paginated = PAGINATED.of(query)
    page = await call.sojourn.clients.list(
        limit=LIMIT.of(query),
        offset=OFFSET.of(query),
        count=paginated,
    )
    data = [_to_wire(view, call.version) for view in page.items]
    return {"data": data, "total_count": page.total} if paginated else data


async def get_client(call: Call) -> object:
    """Get a client with its sessions."""
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


_VERSIONS = {
    "before 2025-03-12": "pending sessions are left out",
    "in 2025-03-12": "`last_authentication_strategy` is absent",
}

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/clients",
        name="GetClientList",
        handler=list_clients,
        query=(PAGINATED, LIMIT, OFFSET),
        answer=(list[Client], Page[Client]),
        differs="kept, though it is deprecated",
        by_version=_VERSIONS,
    ),
    Operation(
        method="GET",
        path="/v1/clients/{client_id}",
        name="GetClient",
        handler=get_client,
        answer=Client,
        differs="shows the 100 newest sessions that were not removed",
        by_version=_VERSIONS,
    ),
)
