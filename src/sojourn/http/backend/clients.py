"""Clients (operations GetClientList and GetClient; wire/backend-api.md section 1.2)."""

from __future__ import annotations

import msgspec

from sojourn.core.session import Status
from sojourn.http.backend.sessions import to_wire
from sojourn.http.parameters import LIMIT, OFFSET, PAGINATED, Text
from sojourn.http.problems import missing_parameter
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.clients import Client, HandshakePayload
from sojourn.http.shapes.common import Page
from sojourn.http.versions import Version
from sojourn.http.wire import body_of
from sojourn.service.clients import ClientView

_NONCE = Text("nonce", "What the browser brought back as `__clerk_handshake_nonce`.")


class VerifyClient(msgspec.Struct):
    """Body of VerifyClient."""

    token: str


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


async def verify_client(call: Call) -> object:
    """Verify a client: get the one whose token (the cookie `__client`) this is."""
    body = body_of(call.body, VerifyClient)
    return _to_wire(await call.sojourn.clients.verify(body.token), call.version)


async def get_handshake_payload(call: Call) -> object:
    """Get the cookies of a handshake behind a nonce, once."""
    nonce = _NONCE.of(call.query())
    if nonce is None:
        raise missing_parameter("nonce")
    return {"directives": await call.sojourn.handshakes.payload(nonce)}


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
        method="POST",
        path="/v1/clients/verify",
        name="VerifyClient",
        handler=verify_client,
        body=VerifyClient,
        answer=Client,
        errors={
            400: "The token is not one of this instance or is not in force, or the request cannot be read.",
            404: "The client is not there any more.",
        },
        differs="a token that was replaced less than 10 seconds ago passes; one that was replaced longer ago "
        "ends every session of its client",
        by_version=_VERSIONS,
    ),
    Operation(
        method="GET",
        path="/v1/clients/handshake_payload",
        name="GetHandshakePayload",
        handler=get_handshake_payload,
        query=(_NONCE,),
        answer=HandshakePayload,
        errors={
            400: "`nonce` is missing.",
            404: "The nonce is unknown, was used, is older than a minute, or its session has ended.",
        },
        differs="the published descriptions name its path and say no more; an SDK calls it",
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
