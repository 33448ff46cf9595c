"""Handshakes: the cookies that a server is to set, in a token or behind a nonce. Attack cases C-08, C-13,
S-04 and T-21 of the reliability catalogue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clerk_backend_api.security import VerifyTokenOptions, verify_token
from clerk_backend_api.security.types import TokenVerificationError

from sojourn import Sojourn
from sojourn.core import cookies
from sojourn.core.errors import InvalidSessionToken
from sojourn.core.refresh import RefreshRefused
from sojourn.service.clients import Recognised, SignedIn
from sojourn.service.handshakes import NoHandshake
from sojourn.testing import ManualClock
from sojourn.tokens import jws
from tests.embedded import MINUTE, opened, user_id

APP = "https://app.example.test/page?x=1#y"


async def signed_in(sojourn: Sojourn, token: str | None = None, name: str = "42") -> SignedIn:
    """A browser in which somebody is signed in."""
    issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn, name))
    return await sojourn.clients.sign_in(issued.token, token=token)


def parsed(directives: Any) -> dict[str, tuple[str, str]]:
    """Value and attributes of each cookie by its name; none stands there twice."""
    found: dict[str, tuple[str, str]] = {}
    for directive in directives:
        pair, _, attributes = directive.partition("; ")
        name, _, value = pair.partition("=")
        assert name not in found
        found[name] = (value, attributes)
    return found


async def test_the_cookies_of_somebody_who_is_signed_in(sojourn: Sojourn) -> None:
    """A token for the origin of the page, of the session in front, not older than the client's instant; a
    refresh token that works; and all of them with and without suffix as servers look for them."""
    first = await signed_in(sojourn)
    held = await signed_in(sojourn, first.token, "43")
    held = await sojourn.clients.make_active(held, first.session.id)
    found = parsed(await sojourn.handshakes.directives(held, redirect_url=APP))
    suffix = cookies.suffix(sojourn.instance.publishable_key)
    assert list(found) == [
        f"__session_{suffix}",
        "__session",
        "__client_uat",
        f"__client_uat_{suffix}",
        f"__refresh_{suffix}",
    ]
    claims = await sojourn.tokens.verify(found["__session"][0])
    assert (claims["sid"], claims["azp"]) == (first.session.id, "https://app.example.test")
    assert found["__client_uat"][0] == str(held.view.client.updated_at // 1000)
    assert int(found["__client_uat"][0]) <= int(str(claims["iat"]))
    exchanged = await sojourn.refresh_tokens.exchange(
        first.session.id,
        expired_token=found["__session"][0],
        refresh_token=found[f"__refresh_{suffix}"][0],
        request_origin="https://app.example.test",
    )
    assert await sojourn.tokens.verify(exchanged)


@pytest.mark.parametrize(("url", "secure"), [(APP, True), ("http://127.0.0.1:3000/x", False)])
async def test_c08_secure_exactly_over_https(sojourn: Sojourn, url: str, secure: bool) -> None:
    """C-08: so that neither a page over plain http loses its cookies nor one over https bares them; only the
    refresh token is hidden from pages."""
    held = await signed_in(sojourn)
    for name, (_, attributes) in parsed(await sojourn.handshakes.directives(held, redirect_url=url)).items():
        assert ("Secure" in attributes.split("; ")) is secure
        assert ("HttpOnly" in attributes.split("; ")) is name.startswith("__refresh")
        assert {"Path=/", "SameSite=Lax"} < set(attributes.split("; "))


@pytest.mark.parametrize("how", ["no client", "nobody on it", "ended since"])
async def test_the_cookies_of_nobody(sojourn: Sojourn, how: str) -> None:
    """What is there is removed, and the client's instant is 0 in both twins."""
    held: Recognised | None = None
    if how != "no client":
        held = await signed_in(sojourn)
        if how == "nobody on it":
            held = await sojourn.clients.remove_sessions(held)
        else:
            await sojourn.sessions.revoke(held.view.live[0].id)
    found = parsed(await sojourn.handshakes.directives(held, redirect_url=APP, with_suffix=False))
    suffix = cookies.suffix(sojourn.instance.publishable_key)
    values = {name: value for name, (value, _) in found.items()}
    assert values == {
        "__session": "",
        "__client_uat": "0",
        f"__client_uat_{suffix}": "0",
        f"__refresh_{suffix}": "",
    }
    assert "Max-Age=0" in found["__session"][1]


async def test_a_handshake_token(sojourn: Sojourn) -> None:
    """It says the directives and is signed by the key that signs sessions."""
    token = await sojourn.handshakes.token(["a=1", "b=2"])
    verified = jws.verify(token, sojourn._held.public)
    assert verified.claims["handshake"] == ["a=1", "b=2"]


async def test_t21_a_handshake_token_is_no_session_token(sojourn: Sojourn) -> None:
    """T-21: neither here nor for the official Python SDK, which looks at neither `cat` nor `sub`; the control
    is a session token of the same key."""
    pem = sojourn._held.current.public.pem()
    options = VerifyTokenOptions(jwt_key=pem, clock_skew_in_ms=10**12)
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    assert verify_token(await sojourn.tokens.create(session.id), options)["sid"] == session.id
    token = await sojourn.handshakes.token(["a=1"])
    with pytest.raises(InvalidSessionToken, match="token-type-mismatch"):
        await sojourn.tokens.verify(token)
    with pytest.raises(TokenVerificationError):
        verify_token(token, options)


async def test_c13_a_nonce_works_once(sojourn: Sojourn) -> None:
    """C-13: of ten that redeem it at once one gets the directives; later nobody does."""
    held = await signed_in(sojourn)
    directives = await sojourn.handshakes.directives(held, redirect_url=APP)
    nonce = await sojourn.handshakes.nonce(directives, client=held)
    answers = await asyncio.gather(
        *(sojourn.handshakes.payload(nonce) for _ in range(10)), return_exceptions=True
    )
    assert [a for a in answers if not isinstance(a, NoHandshake)] == [directives]
    with pytest.raises(NoHandshake):
        await sojourn.handshakes.payload(nonce)


async def test_c13_over_two_processes(tmp_path: Any, clock: ManualClock) -> None:
    """C-13: so too through two stores on one file."""
    url = f"sqlite:///{tmp_path}/sojourn.db"
    async with opened(url, clock=clock) as first, opened(url, clock=clock) as second:
        for _ in range(20):
            nonce = await first.handshakes.nonce(["a=1"])
            answers = await asyncio.gather(
                *((first, second)[n % 2].handshakes.payload(nonce) for n in range(10)),
                return_exceptions=True,
            )
            assert sorted(isinstance(a, NoHandshake) for a in answers) == [False] + [True] * 9


async def test_c13_a_nonce_is_short_lived(sojourn: Sojourn, clock: ManualClock) -> None:
    """C-13: a minute, to the millisecond; then it is used up too."""
    early, late = await sojourn.handshakes.nonce(["a=1"]), await sojourn.handshakes.nonce(["a=1"])
    assert early != late
    clock.advance(ms=MINUTE * 1000 - 1)
    assert await sojourn.handshakes.payload(early) == ["a=1"]
    clock.advance(ms=1)
    with pytest.raises(NoHandshake):
        await sojourn.handshakes.payload(late)


@pytest.mark.parametrize("nonce", ["", "x", "A" * 43, "\ud800", "x" * 100_000])
async def test_c13_what_is_no_nonce(sojourn: Sojourn, nonce: str) -> None:
    """C-13: it finds nothing, also where handshakes of others lie; another instance's nonce neither."""
    await sojourn.handshakes.nonce(["a=1"])
    async with opened() as other:
        elsewhere = await other.handshakes.nonce(["b=2"])
    for text in (nonce, elsewhere):
        with pytest.raises(NoHandshake):
            await sojourn.handshakes.payload(text)


async def test_s04_a_nonce_after_signing_out(sojourn: Sojourn, clock: ManualClock) -> None:
    """S-04: what was captured of a handshake before, nonce, session token and refresh token, is refused after
    the user has signed out; the control is a nonce that brought nobody in."""
    held = await signed_in(sojourn)
    directives = await sojourn.handshakes.directives(held, redirect_url=APP)
    nonce = await sojourn.handshakes.nonce(directives, client=held)
    nobody = await sojourn.handshakes.nonce(["a=1"])
    await sojourn.clients.remove_sessions(held)
    with pytest.raises(NoHandshake):
        await sojourn.handshakes.payload(nonce)
    assert await sojourn.handshakes.payload(nobody) == ["a=1"]
    found = parsed(directives)
    suffix = cookies.suffix(sojourn.instance.publishable_key)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(found["__session"][0])
    with pytest.raises(RefreshRefused):
        await sojourn.refresh_tokens.exchange(
            held.session.id,
            expired_token=found["__session"][0],
            refresh_token=found[f"__refresh_{suffix}"][0],
            request_origin="https://app.example.test",
        )


async def test_the_directives_lie_sealed(tmp_path: Any, clock: ManualClock) -> None:
    """No file holds a cookie of a handshake, nor its nonce."""
    async with opened(f"sqlite:///{tmp_path}/sojourn.db", clock=clock) as sojourn:
        nonce = await sojourn.handshakes.nonce(["__session=canary"])
        for path in tmp_path.iterdir():
            content = path.read_bytes()
            assert b"canary" not in content
            assert nonce.encode() not in content
        assert await sojourn.handshakes.payload(nonce) == ["__session=canary"]
