"""The pytest plugin: a fixture `sojourn` for the tests of an application.

It is there wherever sojourn is installed. A test that uses the fixture has an instance of its own, in
memory, gone with the test. Give it settings by overriding `sojourn_settings`:

    @pytest.fixture
    def sojourn_settings():
        return {"roles": {"org:editor": ("org:posts:write",)}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sojourn.testing.stage import Stage


@pytest.fixture
def sojourn_settings() -> dict[str, Any]:
    """Settings of the stage, by the names of `sojourn.Config`; override it."""
    return {}


@pytest.fixture
def sojourn(sojourn_settings: dict[str, Any]) -> Iterator[Stage]:
    """A sojourn of the test's own: sign anybody in, mint tokens, move the clock, revoke, serve."""
    # Late, as the plugin is loaded by every run of pytest that finds sojourn installed.
    from sojourn.testing.stage import Stage

    with Stage.open(**sojourn_settings) as stage:
        yield stage
