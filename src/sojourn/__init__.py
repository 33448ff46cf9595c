"""sojourn: the session layer you own."""

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
