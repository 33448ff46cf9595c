"""Every service test runs on every store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from sojourn import Sojourn
from sojourn.testing import ManualClock
from tests.embedded import opened, reuse_one_key

Opening = Callable[..., AbstractAsyncContextManager[Sojourn]]


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)
    # The calls of the store are counted here; what is looked at in the background is a test's to say.
    monkeypatch.setattr("sojourn.service.held_ring.REFRESH_SECONDS", 3600)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the test."""
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/sojourn.db"


@pytest.fixture
def opening(database_url: str, clock: ManualClock) -> Opening:
    """Opens the database of the test, by its clock."""
    return partial(opened, database_url, clock=clock)


@pytest.fixture
async def sojourn(opening: Opening) -> AsyncIterator[Sojourn]:
    """A Sojourn with the default policy."""
    async with opening() as made:
        yield made
