"""Sessions (operations GetSessionList … CreateSessionToken; wire/backend-api.md section 1.1)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sojourn.core.errors import NotFound
from sojourn.core.session import Session, Status
from sojourn.http.backend.templates import minted
from sojourn.http.parameters import LIMIT, OFFSET, PAGINATED, Query, Text
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.common import Page
from sojourn.http.shapes.sessions import Session as Shape
from sojourn.http.shapes.sessions import Token
from sojourn.http.versions import Version
from sojourn.http.wire import Nothing, body_of

_PENDING = frozenset({Status.PENDING})
_USER_ID = Text("user_id", "Only sessions of this user.")
_CLIENT_ID = Text("client_id", "Only sessions on this client.")
_STATUS = Text("status", "Only sessions that have this status now.", tuple(Status))


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


async def list_sessions(call: Call) -> object:
    """List sessions, newest first."""
    query = call.query()
    paginated = PAGINATED.of(query)
    page = await call.sojourn.sessions.page(
        user_id=_USER_ID.of(query),
        client_id=_CLIENT_ID.of(query),
        statuses=_status(query, call.version),
        excluded=frozenset() if call.version.knows_pending else _PENDING,
        limit=LIMIT.of(query),
        offset=OFFSET.of(query),
        count=paginated,
    )
    data = [to_wire(session, call.version) for session in page.items]
    return {"data": data, "total_count": page.total} if paginated else data


async def create_session(call: Call) -> object:
    """Create a session for a user, on a client of its own."""
    body = body_of(call.body, CreateSession)
    session = await call.sojourn.sessions.create(
        user_id=body.user_id,
        organization_id=body.active_organization_id,
        application=call.key.id if call.key else None,
        # Who knows no pending session could not be told of one.
        pending=call.version.knows_pending,
        once=call.once,
    )
    return to_wire(session, call.version)


async def get_session(call: Call) -> object:
    """Get a session, in whatever status."""
    return to_wire(_visible(await call.sojourn.sessions.get(call.id), call.version), call.version)


async def revoke_session(call: Call) -> object:
    """Revoke a session: end it on behalf of the application. Repeating it is harmless."""
    body_of(call.body, Nothing)
    return to_wire(await call.sojourn.sessions.revoke(call.id), call.version)


async def verify_session(call: Call) -> object:
    """Verify a session: get it if it lives and the token is one of its own."""
    body = body_of(call.body, VerifyToken)
    session = await call.sojourn.tokens.verify_session(call.id, body.token)
    return to_wire(_visible(session, call.version), call.version)


async def create_token(call: Call) -> object:
    """Create a session token, freshly signed."""
    body = body_of(call.body, CreateToken) if call.body else _NO_TOKEN_BODY
    token = await call.sojourn.tokens.create(call.id, expires_in_seconds=body.expires_in_seconds)
    return {"object": "token", "jwt": token}


async def create_token_from_template(call: Call) -> object:
    """Create a token from a template, by its name."""
    body = body_of(call.body, CreateToken)
    token = await call.sojourn.tokens.create(
        call.id, template=call.parameters[1], expires_in_seconds=body.expires_in_seconds
    )
    return minted(token)


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


def _status(query: Query, version: Version) -> frozenset[Status] | None:
    given = _STATUS.of(query)
    if given == Status.PENDING and not version.lists_pending:
        raise _STATUS.refused([status for status in Status if status != given])
    return None if given is None else frozenset({Status(given)})


_NO_TOKEN_BODY = CreateToken()

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/sessions",
        name="GetSessionList",
        handler=list_sessions,
        query=(_USER_ID, _CLIENT_ID, _STATUS, PAGINATED, LIMIT, OFFSET),
        answer=(list[Shape], Page[Shape]),
        differs="no filter is required; `status` is the status now",
        by_version={
            "before 2025-03-12": "pending sessions are left out",
            "before 2025-04-10": "`pending` cannot be asked for",
        },
    ),
    Operation(
        method="POST",
        path="/v1/sessions",
        name="createSession",
        handler=create_session,
        body=CreateSession,
        answer=Shape,
        errors={
            403: "The user is banned, or no member of the organization.",
            404: "There is no such user or organization.",
        },
        differs="works on every instance; `Idempotency-Key` is honoured; without `active_organization_id` "
        "the session begins in the organization that the user last became a member of or chose; 403 "
        "`not_a_member_in_organization`",
        by_version={
            "before 2025-03-12": "422 without `active_organization_id` where the policy requires one, in "
            "place of a pending session"
        },
        creates=True,
    ),
    Operation(
        method="GET",
        path="/v1/sessions/{session_id}",
        name="GetSession",
        handler=get_session,
        answer=Shape,
        by_version={"before 2025-03-12": "a pending session answers 404"},
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/revoke",
        name="RevokeSession",
        handler=revoke_session,
        body=Nothing,
        answer=Shape,
        differs="idempotent: a session that has ended comes back as it is",
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/verify",
        name="VerifySession",
        handler=verify_session,
        body=VerifyToken,
        answer=Shape,
        errors={400: "The token is not one of this session, or the request cannot be read."},
        gone="2025-04-10",
        by_version={"before 2025-03-12": "a pending session answers 404"},
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/tokens",
        name="CreateSessionToken",
        handler=create_token,
        body=CreateToken,
        answer=Token,
        errors={404: "There is no such session, or it has ended."},
        differs="`exp` is never after the session's `expire_at`",
    ),
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/tokens/{template_name}",
        name="CreateSessionTokenFromTemplate",
        handler=create_token_from_template,
        body=CreateToken,
        answer=Token,
        errors={404: "There is no such session or template, or the session has ended or is pending."},
        differs="`exp` is never after the session's `expire_at`; a pending session answers 404; 422 "
        "`form_param_value_too_large` for a token above 8192 bytes",
    ),
)
