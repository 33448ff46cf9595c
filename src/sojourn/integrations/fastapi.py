"""FastAPI: dependencies on top of the ASGI middleware.

app.add_middleware(AuthMiddleware, authenticator=verifier)

@app.get("/me")
async def me(auth: Annotated[SignedIn, Depends(auth_required(role="org:admin"))]): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from sojourn.integrations.asgi import AuthMiddleware, auth_of
from sojourn.integrations.common import Required, let_in, refusal
from sojourn.verify import Outcome, SignedIn

__all__ = ["AuthMiddleware", "auth", "auth_required"]


def auth(connection: HTTPConnection) -> Outcome:
    """A dependency: the outcome of the request or websocket, signed in or not."""
    return auth_of(connection.scope)


def auth_required(**required: Unpack[Required]) -> Callable[[HTTPConnection], SignedIn]:
    """A dependency: who is signed in and has what is required. Anybody else gets 401 or 403, the reason as
    `detail`."""

    def dependency(connection: HTTPConnection) -> SignedIn:
        found = let_in(auth_of(connection.scope), required)
        if isinstance(found, SignedIn):
            return found
        answer = refusal(found)
        headers = {name: value for name, value in answer.headers if name != "Content-Type"}
        raise HTTPException(answer.status, detail=found.code, headers=headers)

    return dependency
