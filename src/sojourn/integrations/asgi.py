"""ASGI (Starlette, FastAPI, Litestar and others): a middleware, and a decorator for endpoints.

    app = AuthMiddleware(app, verifier)        # or app.add_middleware(AuthMiddleware, authenticator=verifier)
    request.auth                               # the outcome, in Starlette and FastAPI; scope["auth"] anywhere

Nothing of any framework is imported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import wraps
from typing import Any, Final, TypeAlias, Unpack

from sojourn.integrations.common import Answer, Required, cookies_of, let_in, redirect_of, refusal
from sojourn.verify import Authenticator, Outcome, Request, SignedIn

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UNTOLD: Final = "there is no scope['auth']: wrap the application in sojourn.integrations.asgi.AuthMiddleware"


class AuthMiddleware:
    """Puts the outcome of every request and websocket into `scope["auth"]`.

    A browser that has to go to the service first, or comes back from it, is redirected; the cookies of a
    refresh are added to the application's own answer. Nobody is kept out: that is what `auth_required` is
    for.
    """

    def __init__(self, app: App, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, websocket or lifespan."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        seen = self._seen(scope)
        if seen is not None:
            scope["auth"] = seen
            return await self._app(scope, receive, send)
        outcome = await self._authenticator.authenticate_async(request_of(scope))
        redirect = redirect_of(outcome) if kind == "http" else None
        if redirect is not None:
            return await Response(redirect)(scope, receive, send)
        scope["auth"] = outcome
        cookies = cookies_of(outcome)
        await self._app(scope, receive, _with_cookies(send, cookies) if cookies else send)

    def _seen(self, scope: Scope) -> Outcome | None:
        """The short way for a token that was seen before: no Request is made."""
        authorization = cookies = referrer = destination = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"cookie":
                if cookies is not None:
                    return None
                cookies = value
            elif name == b"referer":
                referrer = value
            elif name == b"sec-fetch-dest":
                destination = value
        if authorization is not None:
            if authorization[:7] != b"Bearer " or b" " in authorization[7:]:
                return None
            return self._authenticator.remembered(authorization[7:].decode("latin-1"))
        if cookies is None or b"clerk" in scope.get("query_string", b""):
            return None
        if referrer is not None and destination == b"document":
            return None
        return self._authenticator.remembered_cookies(cookies.decode("latin-1"))


class Response:
    """An answer as an ASGI application, so that an endpoint of any framework can return it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.background = None  # Starlette looks for it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a websocket is closed with 4001 before it opens."""
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 4001, "reason": "not signed in"})
        answer = self._answer
        headers = [(name.lower().encode("latin-1"), _header(value)) for name, value in answer.headers]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def auth_of(scope: Scope) -> Outcome:
    """The outcome that the middleware found. Raises RuntimeError without the middleware."""
    try:
        return scope["auth"]
    except KeyError:
        raise RuntimeError(UNTOLD) from None


def auth_required(
    endpoint: Callable[..., Awaitable[Any]] | None = None, **required: Unpack[Required]
) -> Callable[..., Any]:
    """Decorate an endpoint whose first argument is a request or websocket of Starlette: it runs for who is
    signed in and has what is required; anybody else gets 401 or 403 with the reason."""

    def decorate(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(function)
        async def checked(request: Any, *args: Any, **kwargs: Any) -> Any:
            found = let_in(auth_of(request.scope), required)
            if isinstance(found, SignedIn):
                return await function(request, *args, **kwargs)
            response = Response(refusal(found))
            if request.scope["type"] == "websocket":
                return await request.close(4001)
            return response

        return checked

    return decorate if endpoint is None else decorate(endpoint)


def request_of(scope: Scope) -> Request:
    """What the verifier needs of a scope."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
    host = next((value for name, value in headers if name == "host"), None)
    if host is None:
        name, port = scope.get("server") or ("localhost", None)
        host = name if port is None else f"{name}:{port}"
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    url = f"{scheme}://{host}{path.decode('latin-1')}" + (f"?{query.decode('latin-1')}" if query else "")
    return Request(method=scope.get("method", "GET"), url=url, headers=headers)


def _with_cookies(send: Send, cookies: Iterable[str]) -> Send:
    lines = [(b"set-cookie", _header(line)) for line in cookies]

    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", ()), *lines]}
        await send(message)

    return sending


def _header(text: str) -> bytes:
    return text.encode("latin-1", "replace")
