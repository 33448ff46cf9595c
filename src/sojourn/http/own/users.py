"""Users on the own surface: by the application's own id, and all of a user's sessions at once."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sojourn.http.own.filters import Id, Note
from sojourn.http.own.reach import REACH, reached
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.own import SessionsEnded
from sojourn.http.shapes.users import User
from sojourn.http.wire import body_of


class EndSessions(msgspec.Struct):
    """Why, and which one to keep."""

    reason: Note | None = None
    except_session_id: Id | None = None


class EnsureUser(msgspec.Struct):
    """The application's own id of a user."""

    external_id: Annotated[str, msgspec.Meta(min_length=1, max_length=320)]


async def end_sessions(call: Call) -> object:
    """End all sessions of a user, or all others than one, in one step.

    With `reach=wait` it answers when no verifier accepts a token of theirs any more.
    """
    body = body_of(call.body, EndSessions)
    wait = REACH.of(call.query()) is not None
    await call.sojourn.sessions.revoke_all_of_user(
        call.id, note=body.reason, except_session_id=body.except_session_id
    )
    return {
        "object": "sessions_ended",
        "user_id": call.id,
        "except_session_id": body.except_session_id,
        "reach": await reached(call) if wait else None,
    }


async def get_by_external_id(call: Call) -> object:
    """Get the user whom the application knows by this id."""
    return (await call.sojourn.users.by_external_id(call.id)).to_wire()


async def ensure_user(call: Call) -> object:
    """Ensure that there is a user whom the application knows by this id."""
    body = body_of(call.body, EnsureUser)
    return (await call.sojourn.users.ensure(external_id=body.external_id)).to_wire()


OPERATIONS = (
    Operation(
        method="POST",
        path="/sojourn/v1/users/{user_id}/sessions/end",
        name="EndSessionsOfUser",
        handler=end_sessions,
        body=EndSessions,
        query=(REACH,),
        answer=SessionsEnded,
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/users/by-external-id/{external_id}",
        name="GetUserByExternalId",
        handler=get_by_external_id,
        answer=User,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/users/ensure",
        name="EnsureUser",
        handler=ensure_user,
        body=EnsureUser,
        answer=User,
    ),
)
