"""Pages that are open for long, programs without cookies, and browsers that hold one session at a time."""

from __future__ import annotations

from sojourn import Policy, Sojourn
from sojourn.testing import ManualClock
from tests.embedded import opened, user_id, watch
from tests.http.frontend.browsers import Browser, browsing, cookies_of
from tests.http.frontend.conftest import SETTINGS


async def test_a_page_that_is_open_writes_nothing_but_its_touch(
    browser: Browser, sojourn: Sojourn, clock: ManualClock
) -> None:
    """A token every few seconds for five minutes is one write a minute: the activity. No answer sets a
    cookie."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    await browser.get("/v1/client")
    store = watch(sojourn)
    for _ in range(60):
        clock.advance(seconds=5)
        response = await browser.post(f"/v1/client/sessions/{session}/tokens")
        assert response.status_code == 200
        assert "set-cookie" not in response.headers
        await sojourn.tokens.settle()
    assert store.calls["commit"] == 0
    assert store.calls["touch"] == 5


async def test_a_session_that_was_revoked_is_401(browser: Browser, sojourn: Sojourn) -> None:
    """Tokens and touches of a session that has ended answer 401, it vanishes from the client, and no error
    takes a cookie away."""
    session = await browser.sign_in(sojourn, await user_id(sojourn))
    await sojourn.sessions.revoke(session)
    for verb in ("tokens", "touch"):
        response = await browser.post(f"/v1/client/sessions/{session}/{verb}")
        assert (response.status_code, response.json()["errors"][0]["code"]) == (401, "signed_out")
        assert "set-cookie" not in response.headers
    shown = await browser.get("/v1/client")
    assert shown.json()["response"]["sessions"] == []
    assert cookies_of(shown)["__client_uat"]["value"] == "0"


async def test_a_native_program(sojourn: Sojourn) -> None:
    """A program with `_is_native` keeps its credential from and in the Authorization header, and no answer
    sets a cookie."""
    async with browsing(sojourn, origin=None) as program:
        issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn))
        signed_in = await program.post(
            "/v1/client/sign_ins?_is_native=1", data={"ticket": issued.token}, headers={"Authorization": ""}
        )
        credential = signed_in.headers["authorization"]
        assert "set-cookie" not in signed_in.headers
        session = signed_in.json()["response"]["created_session_id"]
        for header in (credential, f"Bearer {credential}"):
            token = await program.post(
                f"/v1/client/sessions/{session}/tokens?_is_native=1", headers={"Authorization": header}
            )
            assert token.status_code == 200
            assert "set-cookie" not in token.headers
        stranger = await program.post(
            f"/v1/client/sessions/{session}/tokens?_is_native=1", cookie=f"__client={credential}"
        )
        assert stranger.status_code == 401, "the control: cookies do not count there"


async def test_one_session_at_a_time() -> None:
    """In single-session mode a browser that holds a session takes no other until that one is over."""
    policy = Policy(single_session=True)
    async with opened(policy=policy, **SETTINGS) as sojourn, browsing(sojourn) as browser:  # pyright: ignore[reportArgumentType]
        environment = (await browser.get("/v1/environment")).json()
        assert environment["auth_config"]["single_session_mode"] is True
        first = await browser.sign_in(sojourn, await user_id(sojourn))
        issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn, "another"))
        refused = await browser.post("/v1/client/sign_ins", data={"ticket": issued.token})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "session_exists")
        await browser.post(f"/v1/client/sessions/{first}/remove")
        done = await browser.post("/v1/client/sign_ins", data={"ticket": issued.token})
        assert len(done.json()["client"]["sessions"]) == 1
