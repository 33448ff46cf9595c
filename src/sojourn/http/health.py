"""Liveness and readiness, for whoever starts and watches the process."""

from __future__ import annotations

from sojourn.http.routes import PUBLIC, Call, Operation


async def live(call: Call) -> object:
    """The process answers."""
    return {"status": "live"}


async def ready(call: Call) -> object:
    """The store answers too, and the instance is there. Raises Unavailable."""
    await call.sojourn.check()
    return {"status": "ready"}


OPERATIONS = (
    Operation(method="GET", path="/livez", name="Live", handler=live, keys=PUBLIC),
    Operation(method="GET", path="/readyz", name="Ready", handler=ready, keys=PUBLIC),
)
