"""The instance that answers here."""

from __future__ import annotations

from importlib.metadata import version

from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.own import Instance


async def get_instance(call: Call) -> object:
    """Get the instance that answers here, with its issuer and its version."""
    instance = call.sojourn.instance
    return {
        "object": "instance",
        "id": instance.id,
        "publishable_key": instance.publishable_key,
        "epoch": instance.epoch,
        "created_at": instance.created_at,
        "issuer": call.sojourn.issuer,
        "version": version("sojourn"),
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/sojourn/v1/instance",
        name="GetInstance",
        handler=get_instance,
        answer=Instance,
    ),
)
