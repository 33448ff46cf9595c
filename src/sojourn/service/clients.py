"""Clients: browsers and devices, with the sessions they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.core import lifecycle
from sojourn.core.client import Client
from sojourn.core.errors import NotFound
from sojourn.core.session import Session, Status
from sojourn.service.context import Context, check_page
from sojourn.service.ports import ClientQuery, SessionQuery

SESSIONS_SHOWN = 100
"""How many of its newest sessions a client shows; bounds the answer for a client that is used for years."""


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client and its sessions, settled, newest first, without those that were removed from it."""

    client: Client
    sessions: Sequence[Session]


@dataclass(frozen=True, slots=True)
class ClientList:
    """Clients, newest first; `total` counts all of them where that was asked for."""

    items: Sequence[ClientView]
    total: int | None = None


class Clients:
    """Read clients."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def get(self, client_id: str) -> ClientView:
        """One client. Raises NotFound."""
        client = await self._context.store.client(client_id)
        if client is None:
            raise NotFound("client", client_id)
        return await self._view(client)

    async def list(self, *, limit: int = 10, offset: int = 0, count: bool = False) -> ClientList:
        """Clients, newest first. `limit` is from 1 to 500. Raises Invalid."""
        check_page(limit, offset)
        page = await self._context.store.clients(ClientQuery(limit=limit, offset=offset, count=count))
        return ClientList([await self._view(client) for client in page.items], page.total)

    async def _view(self, client: Client) -> ClientView:
        now = self._context.clock.now()
        page = await self._context.store.sessions(
            SessionQuery(
                now=now,
                client_id=client.id,
                excluded=frozenset({Status.REMOVED}),
                limit=SESSIONS_SHOWN,
            )
        )
        settled = [lifecycle.settle(held.session, held.cutoffs, now) for held in page.items]
        return ClientView(client, settled)
