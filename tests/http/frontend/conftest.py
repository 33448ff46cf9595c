"""The Frontend API of a production instance behind https."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sojourn import Sojourn
from sojourn.service.instance import publishable_key
from sojourn.testing import ManualClock
from tests.embedded import opened, reuse_one_key
from tests.http.frontend.browsers import PAGE, Browser, browsing

SETTINGS = {
    "publishable_key": publishable_key("clerk.example.test"),
    "allowed_origins": (PAGE,),
    "public_url": "https://clerk.example.test",
}


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the test."""
    return ManualClock()


@pytest.fixture
async def sojourn(clock: ManualClock) -> AsyncIterator[Sojourn]:
    """What is served."""
    async with opened(clock=clock, **SETTINGS) as made:
        yield made


@pytest.fixture
async def browser(sojourn: Sojourn) -> AsyncIterator[Browser]:
    """A browser on the application's page."""
    async with browsing(sojourn) as made:
        yield made
