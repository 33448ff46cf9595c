"""Handshakes: a server that renders pages learns who is signed in, by way of the browser."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core import cookies
from sojourn.service.handshakes import NoHandshake
from sojourn.service.instance import publishable_key
from sojourn.testing import ManualClock
from sojourn.tokens.bearer import claims_of
from tests.embedded import opened, user_id
from tests.http.frontend.browsers import PAGE, Browser, browsing, cookies_of
from tests.http.frontend.conftest import SETTINGS

HANDSHAKE = "/v1/client/handshake"
COVERED = {**SETTINGS, "cookie_domain": "example.test"}
DEVELOPMENT = {**SETTINGS, "publishable_key": publishable_key("clerk.example.test").replace("live", "test")}


async def shake(browser: Browser, target: str = f"{PAGE}/page", **query: str) -> httpx.Response:
    """Go to the handshake as a browser does."""
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    query = {"redirect_url": target, "format": "nonce", "suffixed_cookies": "true", **query}
    response = await browser.get(HANDSHAKE, params=query, headers=headers)
    assert response.status_code == 307, response.text
    assert response.headers["cache-control"] == "no-store"
    return response


def asked(response: httpx.Response, name: str) -> str:
    """A parameter of the address that the browser is sent to."""
    (value,) = parse_qs(urlsplit(response.headers["location"]).query)[name]
    return value


def set_by(directives: Any) -> dict[str, str]:
    """Name and value of the cookies that a server is told to set; each of them once."""
    pairs = [text.partition(";")[0].partition("=")[::2] for text in directives]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


async def test_a_nonce_brings_the_cookies_once_c13(browser: Browser, sojourn: Sojourn) -> None:
    """C-13: of ten that redeem a nonce at once one is told the cookies, and nobody after it."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    response = await shake(browser)
    nonce = asked(response, cookies.HANDSHAKE_NONCE)
    assert response.headers["location"].startswith(f"{PAGE}/page?")
    found = await asyncio.gather(
        *(sojourn.handshakes.payload(nonce) for _ in range(10)), return_exceptions=True
    )
    (directives,) = [one for one in found if not isinstance(one, BaseException)]
    assert sum(isinstance(one, NoHandshake) for one in found) == 9
    told = set_by(directives)
    key = sojourn.instance.publishable_key
    claims = await sojourn.tokens.verify(told["__session"])
    assert (claims["sid"], claims["azp"]) == (session, PAGE)
    assert told[cookies.suffixed("__session", key)] == told["__session"]
    assert int(told["__client_uat"]) <= int(str(claims["iat"]))
    assert told[cookies.suffixed("__refresh", key)]
    assert set(told) == {  # C-14: the fixed names and no others
        *("__session", "__client_uat"),
        *(cookies.suffixed(name, key) for name in ("__session", "__client_uat", "__refresh")),
    }


async def test_a_nonce_is_good_for_a_minute_c13(
    browser: Browser, sojourn: Sojourn, clock: ManualClock
) -> None:
    """C-13: after sixty seconds, and after the session has ended, a nonce brings nothing."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    late = asked(await shake(browser), cookies.HANDSHAKE_NONCE)
    clock.advance(seconds=60)
    over = asked(await shake(browser), cookies.HANDSHAKE_NONCE)
    await sojourn.sessions.revoke(session)
    for nonce in (late, over, "nonsense"):
        with pytest.raises(NoHandshake):
            await sojourn.handshakes.payload(nonce)


async def test_nobody_is_signed_in(browser: Browser, sojourn: Sojourn) -> None:
    """Without a session the server is told to forget: that ends the loop instead of turning it."""
    told = set_by(await sojourn.handshakes.payload(asked(await shake(browser), cookies.HANDSHAKE_NONCE)))
    assert (told["__session"], told["__client_uat"]) == ("", "0")


async def test_a_session_token_in_the_query_is_nothing_c17(browser: Browser, sojourn: Sojourn) -> None:
    """C-17: with a pk_live_ key what the URL says of a session or a development browser counts for nothing,
    and no session token is put into a URL."""
    async with browsing(sojourn) as other:
        session = await other.sign_in(sojourn, await user_id(sojourn))
        token = await sojourn.tokens.create(session)
        stolen = {"__session": token, "__clerk_db_jwt": other.jar["__client"]}
    nonce = asked(await shake(browser, **stolen), cookies.HANDSHAKE_NONCE)
    assert set_by(await sojourn.handshakes.payload(nonce))["__session"] == ""
    response = await browser.get(HANDSHAKE, params={"redirect_url": PAGE + "/", "format": "token"})
    assert response.json()["errors"][0]["code"] == "handshake_format_not_allowed"


@pytest.mark.parametrize("form", ["nonce", "token"])
async def test_a_cookie_where_one_reaches_the_server(form: str) -> None:
    """With a cookie domain the payload comes in a cookie, the URL stays as it was, and the server takes the
    cookie away."""
    async with opened(**COVERED) as sojourn, browsing(sojourn) as browser:  # pyright: ignore[reportArgumentType]
        await browser.sign_in(sojourn, await user_id(sojourn))
        response = await shake(browser, format=form)
        assert response.headers["location"] == f"{PAGE}/page"
        name = cookies.HANDSHAKE_NONCE if form == "nonce" else cookies.HANDSHAKE
        cookie = cookies_of(response)[name]
        assert cookie["Domain"] == "example.test"
        assert {"HttpOnly", "Secure"} <= set(cookie)
        if form == "nonce":
            directives = await sojourn.handshakes.payload(cookie["value"])
        else:
            directives: Any = claims_of(cookie["value"])["handshake"]
        assert set_by(directives)[name] == ""
        assert set_by(directives)["__session"]


async def test_development_has_the_token_in_the_query() -> None:
    """With a pk_test_ key the browser is known by the credential in the query, and the token may stand in
    one."""
    async with opened(**DEVELOPMENT) as sojourn, browsing(sojourn) as browser:  # pyright: ignore[reportArgumentType]
        made = (await browser.post("/v1/dev_browser", cookie="")).json()["id"]
        issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn))
        signed_in = await browser.post(
            f"/v1/client/sign_ins?__clerk_db_jwt={made}", data={"ticket": issued.token}, cookie=""
        )
        renewed = signed_in.headers["clerk-db-jwt"]
        assert renewed != made
        assert "set-cookie" not in signed_in.headers
        response = await shake(browser, format="token", __clerk_db_jwt=renewed)
        told: Any = claims_of(asked(response, cookies.HANDSHAKE))["handshake"]
        assert set_by(told)["__session"]


async def test_an_organization_on_the_way(browser: Browser, sojourn: Sojourn) -> None:
    """The organization that the server asks for is made active; one that the user is not in changes
    nothing."""
    user = await user_id(sojourn)
    organization = await sojourn.organizations.create(name="One", slug="one", created_by=user)
    session = await browser.sign_in(sojourn, user)
    for given, active in (("", None), ("one", organization.id), ("another", organization.id)):
        await shake(browser, organization_id=given)
        assert (await sojourn.sessions.get(session)).last_active_organization_id == active


async def test_a_satellite_takes_note() -> None:
    """A page of another site is brought up to date by a handshake and by sync, and is told so; the browser
    is given a credential that it sends from there too."""
    satellite = "https://satellite.test"
    async with (
        opened(**SETTINGS, satellite_origins=(satellite,)) as sojourn,  # pyright: ignore[reportArgumentType]
        browsing(sojourn) as browser,
    ):
        await browser.sign_in(sojourn, await user_id(sojourn))
        response = await shake(browser, f"{satellite}/page")
        assert asked(response, "__clerk_synced") == "true"
        assert set_by(await sojourn.handshakes.payload(asked(response, cookies.HANDSHAKE_NONCE)))["__session"]
        synced = await browser.get(
            f"/v1/client/sync?redirect_url={satellite}/page&link_domain=satellite.test"
        )
        assert synced.headers["location"] == f"{satellite}/page?__clerk_synced=true"
        assert cookies_of(synced)["__client"]["SameSite"] == "None"
        assert "Secure" in cookies_of(synced)["__client"]
        shown = await browser.get("/v1/client", headers={"Origin": satellite})
        assert shown.headers["access-control-allow-origin"] == satellite
        assert len(shown.json()["response"]["sessions"]) == 1
