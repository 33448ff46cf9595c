"""Sessions (operations GetSessionList … CreateSessionToken; wire/backend-api.md section 1.1)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sojourn.core.errors import Invalid, NotFound
from sojourn.core.session import Session, Status
from sojourn.http.routes import Call, Operation
from sojourn.http.versions import Version
from sojourn.http.wire import body_of, boolean, integer, text
from sojourn.service.context import PAGE_LIMIT

_PENDING = frozenset({Status.PENDING})


class CreateSession(msgspec.Struct):
    """Body of createSession."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    active_organization_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class CreateToken(msgspec.Struct):
    """Body of CreateSessionToken; the bounds are those of the specification, ten years at the most."""

    expires_in_seconds: Annotated[int, msgspec.Meta(ge=30, le=315_360_000)] | None = None


class VerifyToken(msgspec.Struct):
    """Body of VerifySession."""

    token: Annotated[str, msgspec.Meta(min_length=1)]


class Nothing(msgspec.Struct):
    """Body of an operation that takes none: absent, `null` and `{}` are all sent by SDKs."""


async def list_sessions(call: Call) -> object:
    """Newest first; a bare array, or with `paginated=true` a page with the number of all matches."""
    query = call.query()
    paginated = boolean(query, "paginated")
    page = await call.sojourn.sessions.page(
        user_id=text(query, "user_id"),
        client_id=text(query, "client_id"),
        statuses=_status(text(query, "status"), call.version),
        excluded=frozenset() if call.version.knows_pending else _PENDING,
        limit=integer(query, "limit", 10, least=1, most=PAGE_LIMIT),
        offset=integer(query, "offset", 0, least=0),
        count=paginated,
    )
    data = [to_wire(session, call.version) for session in page.items]
    return {"data": data, "total_count": page.total} if paginated else data


async def create_session(call: Call) -> object:
    """A new session for a user, on a client of its own."""
    body = body_of(call.body, CreateSession)
    session = await call.sojourn.sessions.create(
        user_id=body.user_id,
        organization_id=body.active_organization_id,
        application=call.key.id if call.key else None,
        once=call.once,
    )
    return to_wire(session, call.version)


async def get_session(call: Call) -> object:
    """One session in any status that the version knows."""
    return to_wire(_visible(await call.sojourn.sessions.get(call.id), call.version), call.version)


async def revoke_session(call: Call) -> object:
    """End a session on behalf of the application; repeating it is harmless."""
    body_of(call.body, Nothing)
    return to_wire(await call.sojourn.sessions.revoke(call.id), call.version)


async def verify_session(call: Call) -> object:
    """The session, if it lives and the token is one of its own. Served in every version."""
    body = body_of(call.body, VerifyToken)
    session = await call.sojourn.tokens.verify_session(call.id, body.token)
    return to_wire(_visible(session, call.version), call.version)


async def create_token(call: Call) -> object:
    """A freshly signed session token."""
    body = body_of(call.body, CreateToken) if call.body else _NO_TOKEN_BODY
    token = await call.sojourn.tokens.create(call.id, expires_in_seconds=body.expires_in_seconds)
    return {"object": "token", "jwt": token}


async def create_token_from_template(call: Call) -> object:
    """Templates do not exist yet, so there is none with that name."""
    body_of(call.body, CreateToken)
    await call.sojourn.sessions.get(call.id)
    raise NotFound("JWT template", call.parameters[1])


def to_wire(session: Session, version: Version) -> dict[str, object]:
    """A session as a version has it: `tasks` came with `pending`."""
    wire = session.to_wire()
    if not version.knows_pending:
        del wire["tasks"]
    return wire


def _visible(session: Session, version: Version) -> Session:
    if session.status is Status.PENDING and not version.knows_pending:
        raise NotFound("session", session.id)
    return session


def _status(given: str | None, version: Version) -> frozenset[Status] | None:
    if given is None:
        return None
    try:
        status = Status(given)
    except ValueError:
        status = None
    if status is None or (status is Status.PENDING and not version.lists_pending):
        words = ", ".join(s for s in Status if s is not Status.PENDING or version.lists_pending)
        raise Invalid("status", f"status must be one of {words}.")
    return frozenset({status})


_NO_TOKEN_BODY = CreateToken()

OPERATIONS = (
    Operation(method="GET", path="/v1/sessions", name="GetSessionList", handler=list_sessions),
    Operation(method="POST", path="/v1/sessions", name="createSession", handler=create_session, creates=True),
    Operation(method="GET", path="/v1/sessions/{session_id}", name="GetSession", handler=get_session),
    Operation(
        method="POST", path="/v1/sessions/{session_id}/revoke", name="RevokeSession", handler=revoke_session
    ),
    Operation(
        method="POST", path="/v1/sessions/{session_id}/verify", name="VerifySession", handler=verify_session
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/tokens",
        name="CreateSessionToken",
        handler=create_token,
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/tokens/{template_name}",
        name="CreateSessionTokenFromTemplate",
        handler=create_token_from_template,
    ),
)
