"""Liveness and readiness, for whoever starts and watches the process."""

from __future__ import annotations

from typing import Literal

from sojourn.http.routes import PUBLIC, Call, Operation
from sojourn.http.shapes.common import Shape


class Live(Shape):
    """The process answers."""

    status: Literal["live"]


class Ready(Shape):
    """The service answers."""

    status: Literal["ready"]


async def live(call: Call) -> object:
    """Tell whether the process answers."""
    return {"status": "live"}


async def ready(call: Call) -> object:
    """Tell whether the store answers too, and the instance is there. Raises Unavailable."""
    await call.sojourn.check()
    return {"status": "ready"}


OPERATIONS = (
    Operation(method="GET", path="/livez", name="Live", handler=live, answer=Live, keys=PUBLIC),
    Operation(method="GET", path="/readyz", name="Ready", handler=ready, answer=Ready, keys=PUBLIC),
)
