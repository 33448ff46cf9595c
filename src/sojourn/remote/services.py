"""The services as classes whose methods ask over the network: made from the services, method by method."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, NoReturn, Protocol

from sojourn.core.errors import NotOffered
from sojourn.remote import values
from sojourn.remote.calls import OFFERED, Call, calls


class Caller(Protocol):
    """Carries a call out at the other end."""

    async def call(self, call: Call, arguments: Mapping[str, object]) -> Any:
        """The answer of the method, or the error that it raised there."""
        ...


class Withheld:
    """A service that is not offered over the network: whatever it is asked for, it says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _withheld(f"{self._name}.{name}")

    def __repr__(self) -> str:
        return f"<{self._name}: not offered over the network>"


def services(caller: Caller) -> dict[str, Any]:
    """Every service that is offered, by its name: an object of a subclass of the service."""
    return {name: object.__new__(_subclass(name, offer.service, caller)) for name, offer in OFFERED.items()}


def _subclass(name: str, service: type, caller: Caller) -> type:
    """The service with every public member replaced: by one that asks, or by one that says that it cannot."""
    members: dict[str, object] = {}
    for attribute, member in inspect.getmembers_static(service):
        if attribute.startswith("_"):
            continue
        call = calls().get((name, attribute))
        if call is not None:
            members[attribute] = _asking(caller, call, member)
        else:
            members[attribute] = _refusing(f"{name}.{attribute}", member)
    return type(service.__name__, (service,), members)


def _asking(caller: Caller, call: Call, method: Callable[..., Awaitable[object]]) -> object:
    signature = inspect.signature(method)
    kinds = {field: call.arguments.__annotations__[field] for field in call.arguments.__struct_fields__}

    @wraps(method)
    async def ask(self: object, *args: Any, **kwargs: Any) -> object:
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        del given[next(iter(given))]
        for name in given.keys() - kinds.keys():
            if given.pop(name) is not None:
                raise NotOffered(f"{name} of {call.service}.{call.method} cannot be given over the network.")
        for name, value in given.items():
            values.check(name, value)
        arguments = {name: values.argument(value, kinds[name]) for name, value in given.items()}
        return await caller.call(call, arguments)

    return ask


def _refusing(name: str, member: object) -> object:
    if not callable(member):  # a property

        def refuse(self: object) -> NoReturn:
            raise _withheld(name)

        return property(refuse)
    if inspect.iscoroutinefunction(member):

        @wraps(member)
        async def never(*args: object, **kwargs: object) -> NoReturn:
            raise _withheld(name)

        return never

    @wraps(member)
    def no(*args: object, **kwargs: object) -> NoReturn:
        raise _withheld(name)

    return no


def _withheld(name: str) -> NotOffered:
    return NotOffered(f"{name} is not offered over the network; it belongs to whoever runs the service.")
