"""The application in process: requests reach it without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core.keys import ApiKeyKind
from sojourn.core.session import Session
from sojourn.http.app import OPERATIONS, App
from sojourn.http.problems import Problem
from sojourn.http.routes import Table
from sojourn.testing import ManualClock
from tests import described
from tests.embedded import opened, reuse_one_key, user_id
from tests.published import parsed

SECRET = "sk_test_canary000000000000000000"
NEWEST = "2026-05-12"
TABLE = Table(OPERATIONS)


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the test."""
    return ManualClock()


@pytest.fixture
async def sojourn(clock: ManualClock) -> AsyncIterator[Sojourn]:
    """What the application serves."""
    async with opened(clock=clock, secret_key=(SECRET,)) as made:
        yield made


@pytest.fixture
def app(sojourn: Sojourn) -> App:
    """The application."""
    return App(sojourn)


@pytest.fixture
async def anonymous(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sojourn.test",
        event_hooks={"response": [check_described]},
    ) as made:
        yield made


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with a secret key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sojourn.test",
        headers={"Authorization": f"Bearer {SECRET}"},
        event_hooks={"response": [check_described]},
    ) as made:
        yield made


async def check_described(response: httpx.Response) -> None:
    """Whatever a test is about, an operation answers as the OpenAPI document says."""
    request = response.request
    try:
        path = request.url.raw_path.partition(b"?")[0]
        operation, _ = TABLE.find(request.method, path.decode(), path)
    except Problem:
        return  # no operation
    body = parsed(await response.aread())
    found = described.complaints(operation, response.status_code, body)
    assert not found, f"{operation.name} answered {response.status_code} {body}: {found}"


@pytest.fixture
async def verifier(sojourn: Sojourn) -> dict[str, str]:
    """The header of a caller with a verifier key."""
    return {"Authorization": f"Bearer {await sojourn.api_keys.create(ApiKeyKind.VERIFIER)}"}


async def new_session(sojourn: Sojourn, **arguments: Any) -> Session:
    """A session of the one user."""
    return await sojourn.sessions.create(user_id=await user_id(sojourn), **arguments)


def check_answer(response: httpx.Response, status: int = 200) -> Any:
    """What every answer has in common. Returns the JSON body."""
    assert response.status_code == status, response.text
    assert response.headers.get_list("content-type") == ["application/json"]
    assert response.headers["content-length"] == str(len(response.content))
    assert len(response.headers["clerk-trace-id"]) == 32
    assert response.headers["x-content-type-options"] == "nosniff"
    return response.json()


def check_error(
    response: httpx.Response, status: int, code: str, parameter: str | None = None
) -> dict[str, Any]:
    """The documented shape of an error, whatever went wrong. Returns the first item."""
    body = check_answer(response, status)
    assert set(body) == {"errors", "clerk_trace_id"}
    assert body["clerk_trace_id"] == response.headers["clerk-trace-id"]
    for item in body["errors"]:
        assert set(item) <= {"message", "long_message", "code", "meta"}
        assert all(item[name] for name in ("message", "long_message", "code"))
        assert all(isinstance(item[name], str) for name in ("message", "long_message", "code"))
    first = body["errors"][0]
    assert first["code"] == code
    if parameter is not None:
        assert first["meta"] == {"param_name": parameter}
        assert parameter in first["long_message"]
    assert response.headers["cache-control"] == "no-store"
    assert SECRET not in response.text
    return first
