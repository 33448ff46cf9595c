"""A caller in one version, whose every answer is checked against what is published for that version."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from sojourn import Policy, Sojourn
from sojourn.http.app import App
from sojourn.http.backend import OPERATIONS
from sojourn.testing import ManualClock
from tests import described
from tests.acceptance.errata import code_of, complaints
from tests.embedded import opened
from tests.published import Specification, parsed

SECRET = "sk_test_canary000000000000000000"
SERVED = {operation.name: operation for operation in OPERATIONS}
NOBODY = {
    "session_id": "sess_none",
    "client_id": "client_none",
    "user_id": "user_none",
    "organization_id": "org_none",
}
"""Ids that nobody has, by the name that paths have for them; other names get `none`."""


class Api:
    """Calls operations by name. `sojourn` and `clock` bring about what no request can."""

    def __init__(
        self, specification: Specification, sojourn: Sojourn, clock: ManualClock, http: httpx.AsyncClient
    ) -> None:
        self.specification = specification
        self.sojourn = sojourn
        self.clock = clock
        self.seen: set[tuple[str, int, str | None]] = set()
        """Operation, status and, of an error, the code of every answer so far."""
        self._http = http

    async def answered(self, name: str, *ids: str, **request: Any) -> Any:
        """The body of a success. `ids` fill the path from left to right, `request` is as httpx takes it."""
        return await self._call(name, ids, 200, None, request)

    async def refused(self, status: int, code: str, name: str, *ids: str, **request: Any) -> Any:
        """The body of this error."""
        return await self._call(name, ids, status, code, request)

    async def user(self, **members: Any) -> str:
        """A new user's id."""
        return (await self.answered("CreateUser", json=members))["id"]

    async def session(self) -> Any:
        """A new session of a new user."""
        return await self.answered("createSession", json={"user_id": await self.user()})

    async def _call(
        self, name: str, ids: tuple[str, ...], status: int, code: str | None, request: dict[str, Any]
    ) -> Any:
        operation = SERVED[name]
        request["headers"] = {"Clerk-API-Version": self.specification.version, **request.get("headers", {})}
        response = await self._http.request(operation.method, filled(operation.path, ids), **request)
        body = parsed(response.content)
        where = (
            f"{name} in {self.specification.version} answered {response.status_code} {response.text[:500]}"
        )
        assert (response.status_code, code_of(body)) == (status, code), where
        assert response.headers.get_list("content-type") == ["application/json"], where
        page = request.get("params", {}).get("paginated") == "true"
        found = complaints(self.specification, operation, status, body, page=page)
        assert found == [], f"{where}: {'; '.join(found)}"
        found = described.complaints(operation, status, body)
        assert found == [], f"{where}, which is not described: {'; '.join(found)}"
        self.seen.add((name, status, code))
        return body


Exercise = Callable[[Api], Awaitable[None]]
"""Brings an operation to give its successes and its own errors."""


def filled(path: str, ids: tuple[str, ...] = ()) -> str:
    """A path with ids in it; where they run out, with ones that nobody has."""
    given = iter(ids)
    return re.sub(
        r"\{(\w+)\}", lambda name: quote(next(given, None) or NOBODY.get(name[1], "none"), safe=""), path
    )


@asynccontextmanager
async def calling(specification: Specification, app: Callable[[Sojourn], App] = App) -> AsyncGenerator[Api]:
    """A caller of a fresh instance, where a client holds one session, so that sessions get replaced too."""
    clock = ManualClock()
    async with (
        opened(clock=clock, policy=Policy(single_session=True), secret_key=(SECRET,)) as sojourn,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app(sojourn)),
            base_url="http://sojourn.test",
            headers={"Authorization": f"Bearer {SECRET}"},
        ) as http,
    ):
        yield Api(specification, sojourn, clock, http)
