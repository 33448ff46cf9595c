"""Who is asking, in the service's own process: a browser's whole way, without HTTP in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest

from sojourn import Sojourn
from sojourn.core import cookies
from sojourn.service.clients import SignedIn as Browser
from sojourn.testing import ManualClock
from sojourn.verify import Handshake, Options, Outcome, Reason, Request, SignedIn, SignedOut, require
from tests.embedded import opened, user_id

APP = "https://app.example.test/page"
KEY = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
SUFFIX = cookies.suffix(KEY)


@pytest.fixture
async def sojourn(clock: ManualClock) -> AsyncIterator[Sojourn]:
    """A production instance at a clock that is moved by hand."""
    async with opened(clock=clock, publishable_key=KEY) as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    """The clock."""
    return ManualClock()


def page(lines: Iterable[str], *, method: str = "GET") -> Request:
    """A page load by a browser that holds what these Set-Cookie lines set."""
    header = "; ".join(line.partition(";")[0] for line in lines)
    headers = [("Cookie", header), ("Sec-Fetch-Dest", "document")]
    return Request(method=method, url=APP, headers=headers)


def bearer(token: str) -> Request:
    """A script's request with a token."""
    return Request(method="POST", url=APP, headers=[("Authorization", f"Bearer {token}")])


def why(outcome: Outcome) -> str:
    """The code of a refusal."""
    assert isinstance(outcome, SignedOut | Handshake)
    return outcome.code


async def browser(sojourn: Sojourn) -> Browser:
    """A browser in which somebody is signed in."""
    issued = await sojourn.tickets.create_sign_in_token(user_id=await user_id(sojourn, "42"))
    return await sojourn.clients.sign_in(issued.token, token=None)


@pytest.mark.parametrize("by", ["nonce", "token"])
async def test_the_way_of_a_browser(sojourn: Sojourn, clock: ManualClock, by: str) -> None:
    """It comes back from a handshake, is signed in by the cookies that it was given, is refreshed when its
    token has run out, and is signed out with the next request once the session is revoked."""
    authenticator = sojourn.authenticator()
    held = await browser(sojourn)
    lines = await sojourn.handshakes.directives(held, redirect_url=APP)
    if by == "nonce":
        brought = f"__clerk_handshake_nonce={await sojourn.handshakes.nonce(lines, client=held)}"
    else:
        brought = f"__clerk_handshake={await sojourn.handshakes.token(lines)}"
    back = await authenticator.authenticate_async(page([brought]))
    assert isinstance(back, SignedIn)
    assert (back.session_id, list(back.cookies)) == (held.session.id, list(lines))

    again = await authenticator.authenticate_async(page(back.cookies))
    assert isinstance(again, SignedIn)
    assert again.cookies == ()

    clock.advance(seconds=70)
    assert why(await authenticator.authenticate_async(page(back.cookies, method="POST"))) == (
        "session-token-expired-refresh-non-eligible-non-get"
    )
    fresh = await authenticator.authenticate_async(page(back.cookies))
    assert isinstance(fresh, SignedIn)
    assert fresh.token != back.token
    assert any(line.startswith(f"__session_{SUFFIX}={fresh.token};") for line in fresh.cookies)

    await sojourn.sessions.revoke(held.session.id)
    assert why(await authenticator.authenticate_async(bearer(fresh.token))) == "session-revoked"
    clock.advance(seconds=70)
    late = await authenticator.authenticate_async(page([*back.cookies, *fresh.cookies]))
    assert isinstance(late, Handshake)
    assert late.reason is Reason.SESSION_TOKEN_EXPIRED


async def test_a_nonce_is_used_once(sojourn: Sojourn) -> None:
    """The second request with a nonce gets nothing, and one that was never made neither."""
    authenticator = sojourn.authenticator()
    held = await browser(sojourn)
    lines = await sojourn.handshakes.directives(held, redirect_url=APP)
    nonce = await sojourn.handshakes.nonce(lines, client=held)
    assert isinstance(
        await authenticator.authenticate_async(page([f"__clerk_handshake_nonce={nonce}"])), SignedIn
    )
    for used in (nonce, "never"):
        found = await authenticator.authenticate_async(page([f"__clerk_handshake_nonce={used}"]))
        assert why(found) == "session-token-missing"


async def test_the_session_as_it_stands(clock: ManualClock) -> None:
    """A token that says less than is true now is stale: another organization, another role, none any more;
    one of a session that was never stored is refused."""
    async with opened(clock=clock, publishable_key=KEY) as sojourn:
        authenticator = sojourn.authenticator()
        user = await user_id(sojourn, "42")
        organization = await sojourn.organizations.create(name="Acme", created_by=user)
        session = await sojourn.sessions.create(user_id=user, organization_id=organization.id)
        token = await sojourn.tokens.create(session.id)
        found = await authenticator.authenticate_async(bearer(token))
        assert isinstance(found, SignedIn)
        assert not found.stale
        assert require(found, role=found.role) is found
        await sojourn.sessions.set_organization(session.id, None)
        found = await authenticator.authenticate_async(bearer(token))
        assert isinstance(found, SignedIn)
        assert found.stale
    async with opened(clock=clock, publishable_key=KEY) as other:
        refused = await other.authenticator().authenticate_async(bearer(token))
        assert isinstance(refused, SignedOut)


async def test_options_of_the_application(sojourn: Sojourn) -> None:
    """What the instance knows of itself is put in, what the application says counts; and in an event loop
    nobody can wait without it."""
    held = await browser(sojourn)
    token = await sojourn.tokens.create(held.session.id, origin="https://app.example.test")
    for parties, expected in ((["https://app.example.test"], SignedIn), (["https://b.example"], SignedOut)):
        authenticator = sojourn.authenticator(Options(authorized_parties=parties))
        assert isinstance(await authenticator.authenticate_async(bearer(token)), expected)
    with pytest.raises(RuntimeError, match="authenticate_async"):
        sojourn.authenticator().authenticate(bearer(token))
