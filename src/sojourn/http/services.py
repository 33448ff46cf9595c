"""The methods of the services as operations: what `Sojourn.open("https://…")` calls.

One for each entry of `sojourn.remote.calls`, made from the method's signature: no method is written here a
second time (adr/0020-services-over-the-network.md).
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from sojourn.http import wire
from sojourn.http.routes import BODY_LIMIT, METADATA_LIMIT, Call, Handler, Operation
from sojourn.remote import values
from sojourn.remote.calls import ONCE, Repeat, calls
from sojourn.remote.calls import Call as Method

VALUE = "Value"
"""What the names of schemas of the services' own values begin with; the plain names are the published
resources'."""
_ERRORS = {
    400: "The request cannot be read, or what it names is not in a state for this.",
    403: "This is not allowed.",
    404: "There is nothing with this id.",
}


def _handler(method: Method) -> Handler:
    async def handler(call: Call) -> object:
        body = wire.body_of(call.body, method.arguments)
        given: dict[str, Any] = {}
        for name in method.arguments.__struct_fields__:
            value = getattr(body, name)
            if value is not UNSET:
                values.check(name, value)
                given[name] = value
        if call.once is not None and given.get(ONCE) is None:
            given[ONCE] = call.once
        service = getattr(call.sojourn, method.service)
        return values.encode({"value": await getattr(service, method.method)(**given)})

    handler.__doc__ = method.text
    return handler


OPERATIONS = tuple(
    Operation(
        method="POST",
        path=method.path,
        name=method.name,
        handler=_handler(method),
        body=method.arguments,
        answer=method.answer,
        errors=_ERRORS,
        schemas=VALUE,
        creates=method.repeat is Repeat.BY_KEY,
        body_limit=METADATA_LIMIT if method.takes_metadata else BODY_LIMIT,
    )
    for method in calls().values()
)
