"""sojourn: the session layer you own.

The names are loaded when they are first used, so that a program which only verifies loads no store.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sojourn.config import Config
    from sojourn.core.errors import NotFound, SojournError, Unavailable
    from sojourn.core.policy import Limits, Policy
    from sojourn.core.session import Activity, Actor, Session, Status
    from sojourn.runtime import Sojourn
    from sojourn.service.users import NewContact, NewUser

__version__ = "0.1.0"

__all__ = [
    "Activity",
    "Actor",
    "Config",
    "Limits",
    "NewContact",
    "NewUser",
    "NotFound",
    "Policy",
    "Session",
    "Sojourn",
    "SojournError",
    "Status",
    "Unavailable",
]

_HOMES = {
    "Activity": "core.session",
    "Actor": "core.session",
    "Config": "config",
    "Limits": "core.policy",
    "NewContact": "service.users",
    "NewUser": "service.users",
    "NotFound": "core.errors",
    "Policy": "core.policy",
    "Session": "core.session",
    "Sojourn": "runtime",
    "SojournError": "core.errors",
    "Status": "core.session",
    "Unavailable": "core.errors",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_import_module(f"sojourn.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
