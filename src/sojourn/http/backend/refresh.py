"""Refresh (operation RefreshSession; wire/backend-api.md section 4)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sojourn.core import cookies
from sojourn.http.parameters import Boolean
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.sessions import Cookies, Token
from sojourn.http.wire import body_of

_SUFFIXED = Boolean("suffixed_cookies", "Set the cookie with the suffix of the instance too.")


class RefreshSession(msgspec.Struct):
    """Body of RefreshSession. The headers and the address of the browser's request are not looked at."""

    expired_token: str
    refresh_token: str
    request_origin: str
    request_headers: dict[str, Any] | None = None
    format: Literal["token", "cookie"] | None = "token"
    request_originating_ip: str | None = None


async def refresh_session(call: Call) -> object:
    """Refresh a session: exchange an expired session token for a new one, once."""
    suffixed = _SUFFIXED.of(call.query())
    body = body_of(call.body, RefreshSession)
    token = await call.sojourn.refresh_tokens.exchange(
        call.id,
        expired_token=body.expired_token,
        refresh_token=body.refresh_token,
        request_origin=body.request_origin,
    )
    if body.format != "cookie":
        return {"object": "token", "jwt": token}
    made = cookies.session(
        token,
        publishable_key=call.sojourn.instance.publishable_key,
        secure=body.request_origin.startswith("https:"),
        with_suffix=suffixed,
    )
    return {"object": "cookies", "cookies": list(made)}


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/sessions/{session_id}/refresh",
        name="RefreshSession",
        handler=refresh_session,
        query=(_SUFFIXED,),
        body=RefreshSession,
        answer=(Token, Cookies),
        errors={
            401: "The token cannot be exchanged (a code for each reason), or the key is missing or unknown.",
        },
        differs="the same exchange again within 10 seconds gives the same token again; cookies are Secure "
        "where `request_origin` is https; an origin is a scheme and a host, with a port if any",
    ),
)
