"""A Sojourn whose services are asked over HTTP, for tests that know nothing of it: the whole way of a call
but for the socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from sojourn import Sojourn
from sojourn.http.app import App
from sojourn.remote.calls import OFFERED
from sojourn.remote.connection import Connection
from sojourn.runtime import RemoteSojourn
from sojourn.service.system import SystemEntropy
from tests.embedded import opened

SECRET = "sk_test_canary111111111111111111"


@asynccontextmanager
async def opened_over_network(*arguments: Any, **settings: Any) -> AsyncGenerator[Sojourn]:
    """As `opened`, with every service that is offered over the network asked in that way.

    The others, and what the tests look at inside, are those of the instance at the other end.
    """
    async with (
        opened(*arguments, **{"secret_key": (SECRET,), **settings}) as served,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(App(served)),
            base_url="http://sojourn.test",
            headers={"authorization": f"Bearer {SECRET}"},
        ) as http,
    ):
        connection = Connection(http, SystemEntropy(), timeout_seconds=60)
        await connection.greet()
        yield _with_the_rest(RemoteSojourn(connection), served)


def _with_the_rest(front: RemoteSojourn, served: Sojourn) -> Sojourn:
    for name, member in vars(served).items():
        if name not in OFFERED:
            setattr(front, name, member)
    return front
