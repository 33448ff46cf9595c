"""A browser without a browser: what one sends to the Frontend API, in process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy
from http.cookies import SimpleCookie
from typing import Any

import httpx

from sojourn import Sojourn
from sojourn.http.app import App

PAGE = "https://app.example.test"
HOST = "https://clerk.example.test"


class Browser:
    """Keeps cookies and sends the origin of its page, as browsers do."""

    def __init__(self, http: httpx.AsyncClient, origin: str | None) -> None:
        self._http = http
        self.origin = origin
        self.jar: dict[str, str] = {}

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request. `origin`, `cookie` and `keep` (whether to take the cookies of the answer) may be
        given; everything else is as httpx takes it."""
        origin = request.pop("origin", self.origin)
        cookie = request.pop("cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items()))
        keep = request.pop("keep", True)
        headers = dict(request.pop("headers", {}))
        if origin is not None and (method not in ("GET", "HEAD") or "origin" in headers):
            headers.setdefault("Origin", origin)
        if cookie:
            headers["Cookie"] = cookie
        # Bytes as they are: what an attacker sends need not be ASCII.
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        response = await self._http.request(method, path, headers=raw, **request)
        if keep:
            self.take(response)
        return response

    def take(self, response: httpx.Response) -> None:
        """Keep the cookies of an answer."""
        for text in response.headers.get_list("set-cookie"):
            parsed: SimpleCookie = SimpleCookie(text)
            for name, morsel in parsed.items():
                if morsel["max-age"] == "0":
                    self.jar.pop(name, None)
                else:
                    self.jar[name] = morsel.value

    async def get(self, path: str, **request: Any) -> httpx.Response:
        """A GET."""
        return await self.send("GET", path, **request)

    async def post(self, path: str, **request: Any) -> httpx.Response:
        """A POST; `data` is a form."""
        return await self.send("POST", path, **request)

    async def sign_in(self, sojourn: Sojourn, user_id: str, **ticket: Any) -> str:
        """Sign in by a fresh ticket; the id of the session."""
        issued = await sojourn.tickets.create_sign_in_token(user_id=user_id, **ticket)
        response = await self.post("/v1/client/sign_ins", data={"strategy": "ticket", "ticket": issued.token})
        assert response.status_code == 200, response.text
        return response.json()["response"]["created_session_id"]


@asynccontextmanager
async def browsing(
    sojourn: Sojourn, *, origin: str | None = PAGE, host: str = HOST
) -> AsyncGenerator[Browser]:
    """A browser on a page of that origin."""
    transport = httpx.ASGITransport(App(sojourn), client=("203.0.113.9", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=host) as http:
        # Cookies are the browser's own business here.
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield Browser(http, origin)


def cookies_of(response: httpx.Response) -> dict[str, dict[str, str]]:
    """Every cookie that an answer sets: its value and attributes. One that is set twice is an error."""
    found: dict[str, dict[str, str]] = {}
    for text in response.headers.get_list("set-cookie"):
        first, *rest = text.split("; ")
        name, _, value = first.partition("=")
        assert name not in found, f"{name} is set twice"
        found[name] = {"value": value, **{k: v for k, _, v in (one.partition("=") for one in rest)}}
    return found
