"""What holds for every request of the Frontend API: forms, methods, envelope, headers."""

from __future__ import annotations

import json

import pytest

from sojourn import Sojourn
from tests.embedded import opened, user_id
from tests.http.frontend.browsers import PAGE, Browser, browsing
from tests.http.frontend.conftest import SETTINGS


async def test_a_browser_that_nobody_knows(browser: Browser) -> None:
    """GET /client is 200 with nothing in it, without a credential and with any that is useless."""
    for cookie in ("", "__client=nonsense", "__client=a.b.c", "__client=", "__client=x; __client=y"):
        response = await browser.get("/v1/client", cookie=cookie)
        assert (response.status_code, response.json()) == (200, {"response": None, "client": None})


async def test_the_envelope(browser: Browser, sojourn: Sojourn) -> None:
    """An answer to a change carries the client with a fresh token in each live session."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    body = (await browser.post(f"/v1/client/sessions/{session}/touch")).json()
    assert body["response"]["id"] == session
    (shown,) = body["client"]["sessions"]
    claims = await sojourn.tokens.verify(shown["last_active_token"]["jwt"])
    assert (claims["sid"], claims["azp"]) == (session, PAGE)
    assert body["client"]["last_active_session_id"] == session


@pytest.mark.parametrize("version", ["2026-05-12", "2026-08-20", "2099-01-01", "nonsense", "2020-01-01"])
async def test_versions_and_unknown_parameters_are_tolerated(
    browser: Browser, sojourn: Sojourn, version: str
) -> None:
    """The browser SDK of tomorrow names versions and parameters that nobody knows yet."""
    issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn))
    response = await browser.post(
        f"/v1/client/sign_ins?__clerk_api_version={version}&_clerk_js_version=7.0.0&more=1",
        data={"strategy": "ticket", "ticket": issued.token, "locale": "de-DE", "timezone": "Europe/Berlin"},
    )
    assert response.status_code == 200
    assert (await browser.get(f"/v1/client?__clerk_api_version={version}")).json()["response"]


async def test_forms_and_json_mean_the_same(browser: Browser, sojourn: Sojourn) -> None:
    """A body may be a form, as the browser SDK sends it, or JSON; null is an empty text."""
    user = await user_id(sojourn)
    organization = await sojourn.organizations.create(name="One", created_by=user)
    session = await browser.sign_in(sojourn, user)
    touch = f"/v1/client/sessions/{session}/touch"
    for body in (
        {"data": {"active_organization_id": organization.id}},
        {"data": {"active_organization_id": ""}},
        {"json": {"active_organization_id": organization.id}},
        {"json": {"active_organization_id": None}},
    ):
        sent = next(iter(body.values()))["active_organization_id"]
        answered = (await browser.post(touch, **body)).json()
        assert answered["response"]["last_active_organization_id"] == (sent or None)


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("text/plain", b"a=b", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", "ä=1".encode(), 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(501)), 400),
        ("application/json", b"[1]", 400),
        ("application/json", b"{", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 65_536, 413),
    ],
)
async def test_bodies_that_cannot_be_read(browser: Browser, kind: str, content: bytes, status: int) -> None:
    """What is no form and no JSON object is refused in the documented shape."""
    response = await browser.post("/v1/client/sign_ins", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.json()["errors"][0]["code"]
    assert response.headers["access-control-allow-origin"] == PAGE


async def test_method_overrides_and_real_verbs(browser: Browser, sojourn: Sojourn) -> None:
    """DELETE sent as a POST with `_method` is the same as DELETE."""
    for method, query in (("POST", "?_method=DELETE"), ("DELETE", "")):
        session = await browser.sign_in(sojourn, await user_id(sojourn))
        response = await browser.send(method, f"/v1/client/sessions{query}")
        assert response.json()["response"]["sessions"] == []
        assert (await sojourn.sessions.get(session)).status == "removed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/client?_method=DELETE"),
        ("POST", "/v1/client/sign_ins?_method=DELETE"),
        ("POST", "/v1/client?_method=TRACE"),
        ("POST", "/v1/client?_method=delete"),
        ("TRACE", "/v1/client"),
        ("CONNECT", "/v1/client"),
        ("PUT", "/v1/client/sessions"),
    ],
)
async def test_methods_that_are_not_there_c04(browser: Browser, method: str, path: str) -> None:
    """C-04: an override on GET, to a verb that the path lacks or to a strange one, TRACE and CONNECT: 405."""
    response = await browser.send(method, path)
    assert response.status_code == 405
    assert response.json()["errors"][0]["code"] == "method_not_allowed"


async def test_every_answer_has_its_guards_c11_c15(browser: Browser, sojourn: Sojourn) -> None:
    """C-11, C-15: nothing is stored, sniffed, framed or embedded, whether it is an answer or an error."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    answers = [
        await browser.get("/v1/client"),
        await browser.get("/v1/environment"),
        await browser.post(f"/v1/client/sessions/{session}/tokens"),
        await browser.get("/v1/client/nothing"),
        await browser.post("/v1/client/sign_ins", data={"ticket": "x"}),
        await browser.post("/v1/client/sign_ins", origin="https://evil.test"),
        await browser.get(f"/v1/client/touch?redirect_url={PAGE}/"),
    ]
    assert [a.status_code for a in answers] == [200, 200, 200, 404, 400, 400, 307]
    for response in answers:
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert response.headers["cross-origin-resource-policy"] == "same-site"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["vary"] == "Origin"
        if response.status_code != 307:
            assert response.headers.get_list("content-type") == ["application/json"]
            json.loads(response.content)


async def test_below_the_path_of_a_proxy(sojourn: Sojourn) -> None:
    """The same operations are served below /__clerk, the public keys among them."""
    async with browsing(sojourn, host="https://app.example.test") as browser:
        assert (await browser.get("/__clerk/v1/environment")).status_code == 200
        session = None
        issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn))
        response = await browser.post("/__clerk/v1/client/sign_ins", data={"ticket": issued.token})
        session = response.json()["response"]["created_session_id"]
        assert (await browser.get("/__clerk/v1/client")).json()["response"]["sessions"][0]["id"] == session
        keys = await browser.get("/__clerk/.well-known/jwks.json")
        assert keys.json() == (await browser.get("/.well-known/jwks.json")).json()
        assert keys.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in keys.headers
        # The Backend API is not offered on the application's own origin.
        assert (await browser.get("/__clerk/v1/sessions")).status_code == 404


@pytest.mark.parametrize(
    ("settings", "headers", "scheme", "secure"),
    [
        ({"public_url": "https://clerk.example.test"}, {}, "http", True),
        ({"public_url": "http://clerk.example.test"}, {}, "https", False),
        ({"public_url": None}, {}, "http", False),
        ({"public_url": None}, {}, "https", True),
        ({"public_url": None}, {"X-Forwarded-Proto": "https"}, "http", False),
        (
            {"public_url": None, "trusted_proxies": ("203.0.113.0/24",)},
            {"X-Forwarded-Proto": "https"},
            "http",
            True,
        ),
        (
            {"public_url": None, "trusted_proxies": ("198.51.100.1",)},
            {"X-Forwarded-Proto": "https"},
            "http",
            False,
        ),
        (
            {"public_url": None, "trusted_proxies": ("203.0.113.9",)},
            {"X-Forwarded-Proto": "http"},
            "https",
            False,
        ),
    ],
)
async def test_secure_exactly_where_the_browser_sees_https_c08(
    settings: dict[str, object], headers: dict[str, str], scheme: str, secure: bool
) -> None:
    """C-08: cookies are Secure by the public URL, by a trusted proxy, or as the request came; a stranger's
    header says nothing."""
    async with (
        opened(**{**SETTINGS, **settings}) as sojourn,  # pyright: ignore[reportArgumentType]
        browsing(sojourn, host=f"{scheme}://clerk.example.test") as browser,
    ):
        response = await browser.post("/v1/client", headers=headers)
        (cookie,) = (c for c in response.headers.get_list("set-cookie") if c.startswith("__client="))
        assert ("; Secure" in cookie) is secure
        assert "; HttpOnly" in cookie
        assert "Domain" not in cookie
        assert "; Path=/" in cookie
        assert "; SameSite=Lax" in cookie
        assert len(cookie) <= 4096
