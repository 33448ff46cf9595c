"""One application in each framework, with the same four addresses; and one way to ask them all.

`/open` says who it is, `/closed` lets in who is signed in, `/admin` who has the role, `/async` is `/closed`
in the other colour of function where the framework has two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import django
import httpx
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sojourn.integrations import asgi, fastapi, flask
from sojourn.integrations import django as fronts
from sojourn.verify import Authenticator, Outcome, SignedIn

HOST = "app.example.com"
Ask = Callable[..., "Answer"]


class Answer(NamedTuple):
    """What an application answered."""

    status: int
    body: Any
    headers: httpx.Headers


def told(auth: Outcome) -> dict[str, object]:
    """Who it is, in the words of all applications."""
    if isinstance(auth, SignedIn):
        return {"user": auth.user_id, "session": auth.session_id, "stale": auth.stale}
    return {"user": None, "reason": auth.code}


def starlette_app(authenticator: Authenticator) -> Any:
    """With the ASGI middleware and its decorator."""

    async def plain(request: Request) -> JSONResponse:
        return JSONResponse(told(request.auth))

    closed = asgi.auth_required(plain)
    admin = asgi.auth_required(role="org:admin")(plain)
    routes = [
        Route("/open", plain),
        Route("/closed", closed),
        Route("/async", closed),
        Route("/admin", admin),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(asgi.AuthMiddleware, authenticator=authenticator)
    return app


def fastapi_app(authenticator: Authenticator) -> Any:
    """With the ASGI middleware and dependencies."""
    app = FastAPI()
    app.add_middleware(fastapi.AuthMiddleware, authenticator=authenticator)

    @app.get("/open")
    def plain(auth: Annotated[Outcome, Depends(fastapi.auth)]) -> dict[str, object]:
        return told(auth)

    @app.get("/closed")
    def closed(auth: Annotated[SignedIn, Depends(fastapi.auth_required())]) -> dict[str, object]:
        return told(auth)

    @app.get("/async")
    async def closed_async(auth: Annotated[SignedIn, Depends(fastapi.auth_required())]) -> dict[str, object]:
        return told(auth)

    @app.get("/admin")
    def admin(auth: Annotated[SignedIn, Depends(fastapi.auth_required(role="admin"))]) -> dict[str, object]:
        return told(auth)

    return app


def flask_app(authenticator: Authenticator) -> Any:
    """With `init_app` and the decorator."""
    app = Flask("application")
    flask.init_app(app, authenticator)

    @app.get("/open")
    def plain() -> dict[str, object]:
        return told(flask.auth())

    @app.get("/closed")
    @flask.auth_required
    def closed() -> dict[str, object]:
        return told(flask.auth())

    @app.get("/async")
    @flask.auth_required()
    async def closed_async() -> dict[str, object]:
        return told(flask.auth())

    @app.get("/admin")
    @flask.auth_required(role="org:admin")
    def admin() -> dict[str, object]:
        return told(flask.auth())

    return app


def _plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse(told(fronts.auth_of(request)))


async def _plain_async(request: HttpRequest) -> JsonResponse:
    return JsonResponse(told(fronts.auth_of(request)))


urlpatterns = [
    path("open", _plain),
    path("closed", fronts.auth_required(_plain)),
    path("async", fronts.auth_required(_plain_async)),
    path("admin", fronts.auth_required(role="org:admin")(_plain)),
]


def django_app(authenticator: Authenticator, handler: type[ASGIHandler | WSGIHandler]) -> Any:
    """With the middleware and the decorator, under WSGI or ASGI."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=[HOST],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=["sojourn.integrations.django.AuthMiddleware"],
            SECURE_PROXY_SSL_HEADER=("HTTP_X_TEST_SCHEME", "https"),
            USE_TZ=True,
        )
        django.setup()
    settings.SOJOURN_AUTHENTICATOR = authenticator
    return handler()


def asking_asgi(app: Any) -> Ask:
    """Ask an ASGI application, one request in each event loop."""

    def ask(where: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
                return await client.get(where, headers=[*headers, ("X-Test-Scheme", "https")])

        return answered(asyncio.run(asked()))

    return ask


def asking_wsgi(app: Any) -> Ask:
    """Ask a WSGI application."""

    def ask(where: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        with httpx.Client(transport=httpx.WSGITransport(app), base_url=f"https://{HOST}") as client:
            return answered(client.get(where, headers=[*headers, ("X-Test-Scheme", "https")]))

    return ask


def answered(response: httpx.Response) -> Answer:
    """The parts of an answer that the tests look at."""
    body = response.json() if response.content else None
    return Answer(response.status_code, body, response.headers)


FRONTS: dict[str, Callable[[Authenticator], Ask]] = {
    "starlette": lambda authenticator: asking_asgi(starlette_app(authenticator)),
    "fastapi": lambda authenticator: asking_asgi(fastapi_app(authenticator)),
    "flask": lambda authenticator: asking_wsgi(flask_app(authenticator)),
    "django": lambda authenticator: asking_wsgi(django_app(authenticator, WSGIHandler)),
    "django-async": lambda authenticator: asking_asgi(django_app(authenticator, ASGIHandler)),
}
"""Every front, by its name."""
