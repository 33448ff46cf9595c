"""The official Python SDK, unmodified, sync and async: clients by their token, refresh."""

from __future__ import annotations

import asyncio

import pytest
from clerk_backend_api import models
from clerk_backend_api.security import verify_token
from clerk_backend_api.security.types import VerifyTokenOptions

from tests.acceptance.browsers import ORIGIN, Browser, beside, browser, signed_in
from tests.acceptance.test_python_sdk import Sdk, code_of, sdk, server
from tests.support import Server

__all__ = ["sdk", "server"]  # fixtures


def asked(held: Browser, **changes: object) -> dict[str, object]:
    """The arguments of an exchange."""
    return {
        "session_id": held.session_id,
        "expired_token": held.session_token,
        "refresh_token": held.refresh_token,
        "request_origin": ORIGIN,
        **changes,
    }


async def test_clients_by_their_token(sdk: Sdk, server: Server) -> None:
    """A token in force gets its client with its sessions; any other the published code."""
    async with beside(server) as sojourn:
        held = await browser(sojourn)
        client = await sdk("clients.verify", request={"token": held.client_token})
        assert (client.id, client.session_ids) == (held.client_id, [held.session_id])
        assert client.last_active_session_id == held.session_id
        assert client == await sdk("clients.get", client_id=held.client_id)
        await sojourn.clients.destroy(await signed_in(sojourn, token=held.client_token))
    for token in (held.client_token, held.session_token, "x"):
        with pytest.raises(models.ClerkErrors) as error:
            await sdk("clients.verify", request={"token": token})
        assert code_of(error) == "cookie_invalid"


async def test_refresh_with_both_formats(sdk: Sdk, server: Server) -> None:
    """A token that verifies, the same again when asked again, and the same as a cookie."""
    async with beside(server) as sojourn:
        held = await browser(sojourn)
    made = await sdk("sessions.refresh", **asked(held))
    assert made.object == "token"
    claims = verify_token(made.jwt, VerifyTokenOptions(secret_key=server.secret_key, api_url=server.url))
    assert (claims["sid"], claims["azp"]) == (held.session_id, ORIGIN)
    again = await sdk("sessions.refresh", **asked(held, format_="cookie", request_headers={"a": ["b"]}))
    assert again.object == "cookies"
    assert again.cookies[-1] == f"__session={made.jwt}; Path=/; Max-Age=31536000; SameSite=Lax"


async def test_refreshes_at_once(sdk: Sdk, server: Server) -> None:
    """Of 16 at once all have the same token."""
    async with beside(server) as sojourn:
        held = await browser(sojourn)
    many = await asyncio.gather(*(sdk("sessions.refresh", **asked(held)) for _ in range(16)))
    assert len({made.jwt for made in many}) == 1


async def test_refusals_are_typed(sdk: Sdk, server: Server) -> None:
    """Each arrives as the SDK's own type with the published code."""
    async with beside(server) as sojourn:
        held, other = await browser(sojourn), await browser(sojourn)
        ended = await browser(sojourn)
        await sojourn.sessions.revoke(ended.session_id)
    for arguments, code in (
        (asked(held, request_origin="app.test"), "refresh_request_origin_invalid"),
        (asked(held, expired_token="x"), "expired_session_token_invalid"),
        (asked(held, session_id=other.session_id), "refresh_sid_mismatch"),
        (asked(held, request_origin="http://b.test"), "refresh_request_origin_azp_mismatch"),
        (asked(held, expired_token=held.client_token), "session_refresh_session_token_ineligible"),
        (asked(held, refresh_token=other.refresh_token), "refresh_token_not_found"),
        (asked(ended), "session_refresh_inactive_session"),
    ):
        with pytest.raises(models.ClerkErrors) as error:
            await sdk("sessions.refresh", **arguments)
        assert (error.value.raw_response.status_code, code_of(error)) == (401, code)
