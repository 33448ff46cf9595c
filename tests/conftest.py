"""What every test may count on: one event loop, no deadlines, fault markers by file, tools that CI needs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres.cluster import Server
from tests.postgres.databases import Databases

FAULTS = Path(__file__).parent / "faults"
FAULT_MARKERS = (
    "clientraces",
    "diskfull",
    "failover",
    "ioerror",
    "kill",
    "nodes",
    "powercut",
    "races",
    "rotation",
)

# Two shared cores make a deadline for one example a matter of luck.
settings.register_profile("sojourn", deadline=None)
settings.load_profile("sojourn")


def require_tool(name: str, found: object, how_to_get: str) -> None:
    """Go on when the tool was found; otherwise fail in CI, where everything must run, and skip elsewhere."""
    if found:
        return
    reason = f"{name} is not there: {how_to_get}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def anyio_backend() -> str:
    """Run coroutine tests and fixtures on asyncio, the one event loop that the service runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A PostgreSQL server for the session, and a new database of it for whoever asks."""
    server = Server.quick()
    yield Databases(server)
    server.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test of tests/faults/test_NAME.py with NAME, for `pytest tests/faults -m NAME`."""
    for item in items:
        name = item.path.stem.removeprefix("test_")
        if FAULTS in item.path.parents and name in FAULT_MARKERS:
            item.add_marker(name)
