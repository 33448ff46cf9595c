"""Attack cases on the Frontend API: what other sites make a browser send, and what stands in its cookies."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sojourn import Sojourn
from tests.embedded import opened, reuse_one_key, user_id
from tests.http.frontend.browsers import PAGE, Browser, browsing, cookies_of
from tests.http.frontend.conftest import SETTINGS

EVIL = "https://evil.test"
STRANGERS = (
    EVIL,
    "null",
    "https://app.example.test.evil.test",
    "https://evilapp.example.test",
    "https://app.example.tes",
    "http://app.example.test",
    "https://app.example.test:8443",
    "https://app.example.test:443",
    "https://APP.example.test",
    "https://app.example.test/",
    "https://app.example.test@evil.test",
    "https://аpp.example.test".encode().decode("latin-1"),  # noqa: RUF001  # a Cyrillic letter
    "https://xn--pp-6kc.example.test",
    "https://app.example.test, https://evil.test",
    "app.example.test",
    "",
)
CHANGES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", "/v1/client/sessions/{session}/remove", {}),
    ("POST", "/v1/client/sessions/{session}/end", {}),
    ("POST", "/v1/client/sessions/{session}/touch", {"active_organization_id": ""}),
    ("POST", "/v1/client/sessions/{session}/tokens", {}),
    ("POST", "/v1/me/sessions/{session}/revoke", {}),
    ("POST", "/v1/client/sessions?_method=DELETE", {}),
    ("POST", "/v1/client?_method=DELETE", {}),
    ("DELETE", "/v1/client/sessions", {}),
    ("PUT", "/v1/client", {}),
    ("POST", "/v1/client/sign_ins", {"strategy": "ticket", "ticket": "x"}),
)


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture
async def sojourn() -> AsyncIterator[Sojourn]:
    """What is attacked."""
    async with opened(**SETTINGS) as made:  # pyright: ignore[reportArgumentType]  # settings of Config
        yield made


@pytest.fixture
async def browser(sojourn: Sojourn) -> AsyncIterator[Browser]:
    """The victim's browser."""
    async with browsing(sojourn) as made:
        yield made


async def lives(sojourn: Sojourn, session: str) -> bool:
    """Whether a session still stands."""
    return (await sojourn.sessions.get(session)).live


@pytest.mark.parametrize(("method", "path", "form"), CHANGES)
async def test_foreign_origins_c01_c02_c03(
    browser: Browser, sojourn: Sojourn, method: str, path: str, form: dict[str, str]
) -> None:
    """C-01, C-02, C-03: with the victim's cookies, no origin but the very one on the list changes anything,
    whether by a form that needs no preflight or by a real verb; and no answer can be read there."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    before = dict(browser.jar)
    for origin in STRANGERS:
        response = await browser.send(method, path.format(session=session), data=form, origin=origin)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "origin_invalid"), origin
        assert "access-control-allow-origin" not in response.headers
        assert "set-cookie" not in response.headers
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        response = await browser.send(
            method, path.format(session=session), data=form, origin=None, headers=headers
        )
        assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "origin_missing")
    assert browser.jar == before
    assert await lives(sojourn, session)
    allowed = await browser.send(method, path.format(session=session), data=form)
    assert allowed.status_code == (400 if "sign_ins" in path else 200), "the control: the page itself may"


async def test_without_cookies_a_cross_site_request_is_refused_too_c02(browser: Browser) -> None:
    """C-02, C-06: a sign-in that another site posts is refused although it carries no cookie: its answer
    would bring one."""
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        response = await browser.post(
            "/v1/client/sign_ins", data={"ticket": "x"}, headers=headers, origin=None, cookie=""
        )
        assert response.json()["errors"][0]["code"] in ("origin_invalid", "origin_missing")


async def test_two_origins_and_an_authorization_c02(browser: Browser) -> None:
    """C-02: a request has one origin, and a page has cookies, not an Authorization header."""
    twice = await browser._http.request(
        "POST", "/v1/client", headers=[("Origin", PAGE), ("Origin", EVIL), ("Cookie", "__client=x")]
    )
    assert twice.json()["errors"][0]["code"] == "multiple_origin_header_values_forbidden"
    both = await browser.post("/v1/client", headers={"Authorization": "Bearer x"})
    assert both.json()["errors"][0]["code"] == "origin_authorization_headers_conflict"
    assert {twice.status_code, both.status_code} == {400}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/client/sessions/{session}/remove",
        "/v1/client/sessions/{session}/end",
        "/v1/client/sessions/{session}/touch",
        "/v1/client/sessions?_method=DELETE",
        "/v1/client?_method=DELETE",
        "/v1/client/sign_ins",
    ],
)
async def test_signing_out_by_a_link_c05(browser: Browser, sojourn: Sojourn, path: str) -> None:
    """C-05: no link, image or frame signs anybody out: a GET there is 405."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    for headers in ({}, {"Sec-Fetch-Mode": "navigate"}, {"Sec-Fetch-Mode": "no-cors"}):
        response = await browser.get(path.format(session=session), headers=headers)
        assert response.status_code == 405
    assert await lives(sojourn, session)


async def test_login_csrf_c06(browser: Browser, sojourn: Sojourn) -> None:
    """C-06: the link of an attacker's ticket leads to the application's page and signs nobody in; when the
    page does, the session that was there stays and is not merged with it."""
    victim = await browser.sign_in(sojourn, await user_id(sojourn, "victim"))
    attacker = await user_id(sojourn, "attacker")
    issued = await sojourn.tickets.create_sign_in_token(user_id=attacker)
    followed = await browser.get(f"/v1/tickets/accept?ticket={issued.token}")
    assert followed.status_code == 303
    assert followed.headers["location"].startswith(f"{PAGE}/?__clerk_ticket=")
    assert [s["id"] for s in (await browser.get("/v1/client")).json()["response"]["sessions"]] == [victim]
    done = await browser.post("/v1/client/sign_ins", data={"ticket": issued.token})
    sessions = {s["id"]: s["user"]["id"] for s in done.json()["client"]["sessions"]}
    assert len(sessions) == 2
    assert sessions[victim] != attacker


async def test_preflights_c07(browser: Browser) -> None:
    """C-07: a preflight from an allowed page is answered for it by name; a foreign one gets nothing."""
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    for path in ("/v1/client", "/v1/client/nothing", "/__clerk/v1/client"):
        ours = await browser.send("OPTIONS", path, headers={**asked, "Origin": PAGE})
        assert ours.status_code == 204
        assert ours.headers["access-control-allow-origin"] == PAGE
        assert ours.headers["access-control-allow-credentials"] == "true"
        assert ours.headers["access-control-max-age"] == "600"
        for origin in STRANGERS:
            theirs = await browser.send("OPTIONS", path, headers={**asked, "Origin": origin})
            assert theirs.status_code == 400
            assert not [name for name in theirs.headers if name.startswith("access-control")]
            assert theirs.headers["vary"] == "Origin"


async def test_no_origin_is_reflected_c07(browser: Browser, sojourn: Sojourn) -> None:
    """C-07: what a foreign page fetches it cannot read, with the victim's cookies or without; credentials
    are never granted to everybody."""
    await browser.sign_in(sojourn, await user_id(sojourn))
    for path in (
        "/v1/client",
        "/v1/me",
        "/v1/environment",
        "/v1/health",
        "/.well-known/openid-configuration",
    ):
        for origin in STRANGERS:
            response = await browser.get(path, headers={"Origin": origin})
            granted = response.headers.get("access-control-allow-origin")
            assert granted in (None, "*")
            assert "access-control-allow-credentials" not in response.headers
            if granted is None:
                assert response.status_code == 400
                assert "sess_" not in response.text


@pytest.mark.parametrize(
    "cookie",
    [
        "__client={token}; __client={other}",
        "__client={other}; a=b; __client={token}",
        '__client="{token}"',
        " \u00a0__client={token}",
        "=__client={token}",
        "$Version=1; $Path=/; __client =x",
        "__client%3D{token}",
        "__CLIENT={token}",
        "__client={token}x",
        "__client=; __client={token}",
        "; ".join(f"__client={n}" for n in range(200)),
    ],
)
async def test_tossed_cookies_c09(browser: Browser, sojourn: Sojourn, cookie: str) -> None:
    """C-09: a cookie that stands there twice, quoted, encoded or under almost its name is none: nobody is
    signed in by it, neither the victim nor the attacker."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    async with browsing(sojourn) as attacker:
        await attacker.sign_in(sojourn, await user_id(sojourn, "attacker"))
        other = attacker.jar["__client"]
    sent = cookie.format(token=browser.jar["__client"], other=other)
    response = await browser.get("/v1/client", cookie=sent, keep=False)
    assert response.json()["response"] is None
    refused = await browser.post(f"/v1/client/sessions/{session}/tokens", cookie=sent, keep=False)
    assert refused.status_code == 401
    issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn, "attacker"))
    fresh = await browser.post("/v1/client/sign_ins", data={"ticket": issued.token}, cookie=sent, keep=False)
    assert [s["user"]["id"] for s in fresh.json()["client"]["sessions"]] == [
        await user_id(sojourn, "attacker")
    ]
    assert await lives(sojourn, session)


async def test_a_credential_that_was_not_issued_here_c10(browser: Browser, sojourn: Sojourn) -> None:
    """C-10: a well-formed `__client` of another instance is never adopted: the browser gets a new client."""
    async with opened(**SETTINGS) as elsewhere, browsing(elsewhere) as stranger:  # pyright: ignore[reportArgumentType]
        await stranger.post("/v1/client")
        foreign = stranger.jar["__client"]
        theirs = (await stranger.get("/v1/client")).json()["response"]["id"]
    made = await browser.post("/v1/client", cookie=f"__client={foreign}")
    assert made.json()["response"]["id"] != theirs
    assert cookies_of(made)["__client"]["value"] != foreign


@pytest.mark.parametrize("path", ["/v1/client/touch", "/v1/client/sync", "/v1/client/handshake"])
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "https:\\\\evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example.test@evil.test/",
        "https://app.example.test:pw@evil.test/",
        "https://user@app.example.test/",
        "https://app.example.test.evil.test/",
        "https://app.example.test:444/",
        "http://app.example.test/",
        "https://аpp.example.test/",  # noqa: RUF001  # a Cyrillic letter
        "https://app.example.test\\@evil.test/",
        "https://app.example.test/\r\nSet-Cookie: __client=x",
        "https://app.example.test/%0d%0a\nx",
        " https://app.example.test/",
        "https:app.example.test",
        "https:///evil.test",
        "app.example.test",
        "/",
        "",
    ],
)
async def test_open_redirects_c12(browser: Browser, path: str, target: str) -> None:
    """C-12: nobody is sent anywhere but to a page of an allowed origin, and nothing gets into a header."""
    response = await browser.get(path, params={"redirect_url": target, "format": "nonce"})
    assert response.status_code in (400, 422)
    assert "location" not in response.headers
    assert "set-cookie" not in response.headers
    allowed = await browser.get(path, params={"redirect_url": f"{PAGE}/a?b=c#d", "format": "nonce"})
    assert re.fullmatch(re.escape(f"{PAGE}/a?b=c") + r"(&__clerk_\w+=[\w-]+)?#d", allowed.headers["location"])


async def test_navigations_are_no_fetches_c12(browser: Browser) -> None:
    """C-12: a script cannot use the addresses that a browser goes to as a whole."""
    for headers in (
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Origin": EVIL},
        {"Origin": PAGE},
    ):
        response = await browser.get(f"/v1/client/touch?redirect_url={PAGE}/", headers=headers)
        assert response.status_code == 400


async def test_fixation_s01(browser: Browser, sojourn: Sojourn) -> None:
    """S-01: a credential that an attacker knew before the sign-in opens nothing after it."""
    await browser.post("/v1/client")
    planted = browser.jar["__client"]
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    assert browser.jar["__client"] != planted
    async with browsing(sojourn) as attacker:
        attacker.jar["__client"] = planted
        assert (await attacker.get("/v1/client")).json()["response"] is None
        assert (await attacker.post(f"/v1/client/sessions/{session}/tokens")).status_code == 401
    assert (await browser.post(f"/v1/client/sessions/{session}/tokens")).status_code == 200


async def test_rotation_with_an_impersonation_s02(browser: Browser, sojourn: Sojourn) -> None:
    """S-02: the credential is another one after the start and after the end of an impersonation."""
    await browser.post("/v1/client")
    seen = [browser.jar["__client"]]
    issued = await sojourn.tickets.create_actor_token(
        user_id=await user_id(sojourn), actor={"sub": "user_support"}
    )
    done = await browser.post("/v1/client/sign_ins", data={"ticket": issued.token})
    seen.append(browser.jar["__client"])
    session = done.json()["response"]["created_session_id"]
    await browser.post(f"/v1/client/sessions/{session}/end")
    seen.append(browser.jar["__client"])
    assert len(set(seen)) == 3
    assert (await browser.get("/v1/client")).json()["response"]["sessions"] == []


async def test_ids_before_and_after_s03(browser: Browser, sojourn: Sojourn) -> None:
    """S-03: nothing of a browser that is not signed in equals anything of one that is: the secrets are
    random, and every one of many is another."""
    seen: set[str] = set()
    for _ in range(200):
        browser.jar.clear()
        await browser.post("/v1/client")
        anonymous = browser.jar["__client"]
        await browser.sign_in(sojourn, await user_id(sojourn))
        seen |= {anonymous, browser.jar["__client"]}
    assert len(seen) == 400


async def test_a_session_that_ended_mints_nothing_s04(browser: Browser, sojourn: Sojourn) -> None:
    """S-04: after signing out, credentials that were captured before open nothing."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    captured = dict(browser.jar)
    await browser.send("DELETE", "/v1/client")
    assert "__client" not in browser.jar
    async with browsing(sojourn) as attacker:
        attacker.jar = captured
        assert (await attacker.get("/v1/client", keep=False)).json()["response"] is None
        for verb in ("tokens", "touch", "end", "remove"):
            refused = await attacker.post(f"/v1/client/sessions/{session}/{verb}", keep=False)
            assert refused.status_code == 401
            assert "set-cookie" not in refused.headers


async def test_the_limit_does_not_move_s08(sojourn: Sojourn) -> None:
    """S-08: touches up to the last millisecond do not move the end, and a flood of them is one write."""
    clock: Any = sojourn._context.clock
    async with browsing(sojourn) as browser:
        session = await browser.sign_in(sojourn, await user_id(sojourn))
        before = await sojourn.sessions.get(session)
        clock.advance(ms=before.expire_at - clock.now() - 1)
        for _ in range(20):
            assert (await browser.post(f"/v1/client/sessions/{session}/touch")).status_code == 200
        touched = await sojourn.sessions.get(session)
        assert (touched.expire_at, touched.abandon_at) == (before.expire_at, before.abandon_at)
        assert touched.last_active_at == before.expire_at - 1
        clock.advance(ms=1)
        assert (await browser.post(f"/v1/client/sessions/{session}/touch")).status_code == 401
        assert (await browser.post(f"/v1/client/sessions/{session}/tokens")).status_code == 401
        assert (await browser.get("/v1/client")).json()["response"]["sessions"] == []
