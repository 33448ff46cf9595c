"""A browser's credentials on a running server, made through the library on the same database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from sojourn import Config, Sojourn
from sojourn.core import cookies
from sojourn.service.clients import SignedIn
from tests.support import Server

ORIGIN = "http://app.test"


@dataclass(frozen=True)
class Browser:
    """What a browser has in which somebody has just signed in, and what a server is handed of it."""

    client_id: str
    client_token: str
    session_id: str
    user_id: str
    session_token: str
    """Good for a second."""
    refresh_token: str
    client_uat: int
    nonce: str
    handshake_token: str
    suffix: str

    def environment(self) -> dict[str, str]:
        """The same as variables for a program."""
        return {f"BROWSER_{name.upper()}": str(value) for name, value in asdict(self).items()}


@asynccontextmanager
async def beside(server: Server) -> AsyncGenerator[Sojourn]:
    """The library on the database of a server."""
    config = Config(database_url=server.database_url, sweep=False)
    async with Sojourn.open(config=config) as sojourn:
        yield sojourn


async def signed_in(sojourn: Sojourn, *, token: str | None = None) -> SignedIn:
    """A sign-in of a new user."""
    user = await sojourn.users.create()
    ticket = await sojourn.tickets.create_sign_in_token(user_id=user.id)
    return await sojourn.clients.sign_in(ticket.token, token=token)


async def browser(sojourn: Sojourn) -> Browser:
    """A browser with all that it can have."""
    held = await signed_in(sojourn)
    directives = await sojourn.handshakes.directives(held, redirect_url=f"{ORIGIN}/page")
    return Browser(
        client_id=held.id,
        client_token=held.token,
        session_id=held.session.id,
        user_id=held.session.user_id,
        session_token=await sojourn.tokens.create(held.session.id, origin=ORIGIN, expires_in_seconds=1),
        refresh_token=await sojourn.refresh_tokens.issue(held.session.id),
        client_uat=sojourn.clients.uat(held.view),
        nonce=await sojourn.handshakes.nonce(directives, client=held),
        handshake_token=await sojourn.handshakes.token(directives),
        suffix=cookies.suffix(sojourn.instance.publishable_key),
    )
