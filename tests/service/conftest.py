"""Every service test runs on every store, and over the network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from sojourn import Sojourn
from sojourn.testing import ManualClock
from tests.embedded import opened, reuse_one_key
from tests.networked import opened_over_network

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


EMBEDDED = ("test_api_keys", "test_instance", "test_rotation", "test_rotation_processes", "test_sweeper")
"""What is not offered over the network."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where the services are: embedded on a store of each kind, or at the other end of a connection. A test
    marked `embedded`, or of what is not offered there, has no use for the connection."""
    if "front" not in metafunc.fixturenames:
        return
    marked = metafunc.definition.get_closest_marker("embedded") is not None
    only = marked or metafunc.definition.path.stem in EMBEDDED
    metafunc.parametrize("front", ["memory", "sqlite", *([] if only else ["network"])])


@pytest.fixture
def database_url(front: str, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return f"sqlite:///{tmp_path}/sojourn.db" if front == "sqlite" else "memory://"


@pytest.fixture
def opening(front: str, database_url: str, clock: ManualClock) -> Opening:
    """Opens the database of the test, by its clock."""
    return partial(opened_over_network if front == "network" else opened, database_url, clock=clock)


@pytest.fixture
async def sojourn(opening: Opening) -> AsyncIterator[Sojourn]:
    """A Sojourn with the default policy."""
    async with opening() as made:
        yield made
