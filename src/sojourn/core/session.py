"""Session, the resource everything here is about, and the values it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, cast

from sojourn.core.errors import Invalid, Missing


class Status(StrEnum):
    """The eight words of status (wire/backend-api.md section 2.3)."""

    ACTIVE = "active"
    PENDING = "pending"
    ENDED = "ended"
    REMOVED = "removed"
    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    ABANDONED = "abandoned"

    @property
    def live(self) -> bool:
        """Whether the session still stands; every other status is final."""
        return self is Status.ACTIVE or self is Status.PENDING


CHOOSE_ORGANIZATION = "choose-organization"
"""The task of a user who has to choose an organization; SDKs know this key."""


class Reason(StrEnum):
    """Why a session ended: a stable code for programs, beside the optional text for people."""

    SIGNED_OUT = "signed_out"
    REMOVED = "removed_from_client"
    REVOKED = "revoked"
    REPLACED = "replaced_on_client"
    MAXIMUM_LIFETIME = "maximum_lifetime"
    INACTIVITY = "inactivity"
    ABANDONMENT = "abandonment"
    USER_BANNED = "user_banned"
    USER_DELETED = "user_deleted"
    ALL_OF_USER = "all_sessions_of_user"
    ALL_OF_CLIENT = "all_sessions_of_client"
    ALL_OF_INSTANCE = "all_sessions_of_instance"
    SESSION_LIMIT = "session_limit"
    PREDICATE = "ended_by_predicate"
    CLIENT_SECRET_REUSED = "client_secret_reused"


class Instigator(StrEnum):
    """Who made a session end; the words of CAEP's `initiating_entity`, with the application for admin."""

    USER = "user"
    APPLICATION = "application"
    POLICY = "policy"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts as the user. `sub` is required; other members come back exactly as they were given."""

    sub: str
    members: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def to_wire(self) -> dict[str, object]:
        """The JSON object, `sub` first."""
        return {"sub": self.sub, **self.members}

    @classmethod
    def from_wire(cls, data: Mapping[str, object]) -> Actor:
        """Build from the JSON object. Raises Missing or Invalid naming `actor.sub`."""
        if "sub" not in data:
            raise Missing("actor.sub", "actor.sub must be given.")
        sub = data["sub"]
        if not isinstance(sub, str) or not sub:
            raise Invalid("actor.sub", "actor.sub must be a non-empty string.")
        return cls(sub, MappingProxyType({k: v for k, v in data.items() if k != "sub"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Where a session was last seen (spec SessionActivityResponse)."""

    id: str
    is_mobile: bool = False
    device_type: str | None = None
    browser_name: str | None = None
    browser_version: str | None = None
    ip_address: str | None = None
    city: str | None = None
    country: str | None = None

    def to_wire(self) -> dict[str, object]:
        """The JSON object; what is not known is left out, as the specification has no null there."""
        wire: dict[str, object] = {"object": "session_activity", "id": self.id, "is_mobile": self.is_mobile}
        wire.update((n, v) for n in _ACTIVITY_TEXTS if (v := getattr(self, n)) is not None)
        return wire

    @classmethod
    def from_wire(cls, data: Mapping[str, object]) -> Activity:
        """Build from the JSON object; unknown members are ignored. Raises Missing or Invalid."""
        for name, kind in (("id", str), ("is_mobile", bool)):
            if name not in data:
                raise Missing(f"latest_activity.{name}", f"latest_activity.{name} must be given.")
            if not isinstance(data[name], kind):
                raise Invalid(f"latest_activity.{name}", f"latest_activity.{name} has the wrong type.")
        known = {n: data.get(n) for n in _ACTIVITY_TEXTS}
        for name, value in known.items():
            if value is not None and not isinstance(value, str):
                raise Invalid(f"latest_activity.{name}", f"latest_activity.{name} must be a string or null.")
        return cls(id=cast(str, data["id"]), is_mobile=cast(bool, data["is_mobile"]), **cast(Any, known))


_ACTIVITY_TEXTS = ("device_type", "browser_name", "browser_version", "ip_address", "city", "country")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a session came to its end. `at` is the instant (Unix ms) that counts for retention."""

    at: int
    reason: Reason
    instigator: Instigator
    note: str | None = None


def _wire(meaning: str, *, required: bool = True, **kwargs: Any) -> Any:
    return field(metadata={"meaning": meaning, "required": required}, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A user signed in on a client, from its creation to its end.

    Instants are integer milliseconds of Unix time. The fields up to `tasks` are the resource on the wire;
    those below are the service's own and never leave it through the compatible APIs.
    """

    object: Literal["session"] = _wire("The object's type.", default="session")
    id: str = _wire("Identifier, `sess_…`.")
    user_id: str = _wire("The user who is signed in, `user_…`.")
    client_id: str = _wire("The browser or device that holds the session, `client_…`.")
    status: Status = _wire("Where the session stands in its life cycle.")
    last_active_at: int = _wire("Last recorded activity, ms.")
    expire_at: int = _wire("End of the maximum lifetime, ms; does not slide.")
    abandon_at: int = _wire("When the session counts as abandoned, ms; does not slide.")
    updated_at: int = _wire("Last change of state, ms.")
    created_at: int = _wire("Creation, ms.")
    actor: Actor | None = _wire("Who acts as the user (impersonation).", required=False, default=None)
    last_active_organization_id: str | None = _wire(
        "The organization last made active, `org_…`.", required=False, default=None
    )
    latest_activity: Activity | None = _wire(
        "Device and place of the last activity.", required=False, default=None
    )
    tasks: tuple[str, ...] | None = _wire(
        "Keys of what the user still has to do before the session becomes active.",
        required=False,
        default=None,
    )

    inactivity_seconds: int | None = None
    """The session's own inactivity limit, fixed at creation like its other deadlines."""
    first_factor_at: int | None = None
    """When the application last attested a first factor (Unix ms); None: never in this session."""
    second_factor_at: int | None = None
    """The same for a second factor."""
    application: str | None = None
    """What created the session: the id of the API key, or a name that an embedding program gives itself."""
    ending: Ending | None = None
    """Set exactly when the status is final."""
    version: int = 1
    """Counts changes of state; compare-and-swap is on it. A touch leaves it alone."""
    sequence: int = 0
    """Place in the order of creation, given by the store; 0 before it is stored."""

    @property
    def live(self) -> bool:
        """Whether the status is active or pending. Only a settled session tells the truth about `now`."""
        return self.ending is None

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec Session)."""
        return {
            "object": "session",
            "id": self.id,
            "user_id": self.user_id,
            "client_id": self.client_id,
            "actor": self.actor.to_wire() if self.actor else None,
            "status": self.status.value,
            "last_active_organization_id": self.last_active_organization_id,
            "last_active_at": self.last_active_at,
            "latest_activity": self.latest_activity.to_wire() if self.latest_activity else None,
            "expire_at": self.expire_at,
            "abandon_at": self.abandon_at,
            "updated_at": self.updated_at,
            "created_at": self.created_at,
            "tasks": None if self.tasks is None else [{"key": key} for key in self.tasks],
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, object]) -> Session:
        """Build from the JSON object of any API version.

        Unknown members are ignored. Raises Missing naming a required member that is absent and Invalid naming
        one of the wrong type.
        """
        values: dict[str, Any] = {}
        for spec in fields(cls):
            if "meaning" not in spec.metadata:
                continue
            if spec.name not in data:
                if spec.metadata["required"]:
                    raise Missing(spec.name, f"A session needs {spec.name}.")
                continue
            values[spec.name] = _FROM_WIRE[spec.name](spec.name, data[spec.name])
        if not values["status"].live:
            reason, instigator = _UNTOLD[values["status"]]
            values["ending"] = Ending(at=values["updated_at"], reason=reason, instigator=instigator)
        return cls(**values)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(name, f"{name} must be a non-empty string.")
    return value


def _instant(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(name, f"{name} must be an integer (milliseconds).")
    return value


def _kind(name: str, value: object) -> str:
    if value != "session":
        raise Invalid(name, 'object must be "session".')
    return "session"


def _status(name: str, value: object) -> Status:
    try:
        return Status(value)  # pyright: ignore[reportArgumentType]  # anything may arrive; it raises
    except ValueError:
        raise Invalid(name, f"{name} is none of {', '.join(Status)}.") from None


def _object(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise Invalid(name, f"{name} must be an object or null.")
    return cast(Mapping[str, object], value)


def _text_or_null(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _actor(name: str, value: object) -> Actor | None:
    return None if value is None else Actor.from_wire(_object(name, value))


def _activity(name: str, value: object) -> Activity | None:
    return None if value is None else Activity.from_wire(_object(name, value))


def _tasks(name: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise Invalid(name, f"{name} must be a list or null.")
    items = cast("list[object]", value)
    return tuple(_text(f"{name}.key", _object(name, item).get("key")) for item in items)


_FROM_WIRE: dict[str, Any] = {
    "object": _kind,
    **dict.fromkeys(("id", "user_id", "client_id"), _text),
    **dict.fromkeys(("last_active_at", "expire_at", "abandon_at", "updated_at", "created_at"), _instant),
    "status": _status,
    "actor": _actor,
    "last_active_organization_id": _text_or_null,
    "latest_activity": _activity,
    "tasks": _tasks,
}


_UNTOLD: dict[Status, tuple[Reason, Instigator]] = {
    Status.ENDED: (Reason.SIGNED_OUT, Instigator.USER),
    Status.REMOVED: (Reason.REMOVED, Instigator.USER),
    Status.REVOKED: (Reason.REVOKED, Instigator.APPLICATION),
    Status.REPLACED: (Reason.REPLACED, Instigator.USER),
    Status.EXPIRED: (Reason.MAXIMUM_LIFETIME, Instigator.POLICY),
    Status.ABANDONED: (Reason.ABANDONMENT, Instigator.POLICY),
}
"""The wire does not tell how a session ended; this is the likeliest story for each status."""
