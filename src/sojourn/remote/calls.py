"""What may be called over the network: one table, from which the server makes its operations and the caller
its methods, both by the signatures of the services."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from sojourn.remote import values
from sojourn.service.clients import Clients
from sojourn.service.devices import Devices
from sojourn.service.end_links import EndLinks
from sojourn.service.endings import Endings
from sojourn.service.event_log import EventLog
from sojourn.service.history import History
from sojourn.service.memberships import Memberships
from sojourn.service.organizations import Organizations
from sojourn.service.policies import Policies
from sojourn.service.refresh_tokens import RefreshTokens
from sojourn.service.sessions import Sessions
from sojourn.service.templates import Templates
from sojourn.service.testing_tokens import TestingTokens
from sojourn.service.tickets import Tickets
from sojourn.service.tokens import Tokens
from sojourn.service.users import Users

ONCE = "once"
"""The parameter for an idempotency key. Where it is not given, one made by the caller's end travels as a
header."""


class Repeat(Enum):
    """What may be done when an answer is lost, and nobody knows whether the call was carried out."""

    SAFE = auto()
    """Repeat it: it reads, or doing it twice is as good as doing it once."""
    BY_KEY = auto()
    """Repeat it with the same idempotency key: what was made the first time comes back."""
    NEVER = auto()
    """Say so: a second time would do something else than the first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The methods of a service that are offered, in words apart by spaces. Any other is not."""

    service: type
    safe: str = ""
    by_key: str = ""
    never: str = ""

    def methods(self) -> Mapping[str, Repeat]:
        """Each method with what may be done about a lost answer."""
        groups = ((self.safe, Repeat.SAFE), (self.by_key, Repeat.BY_KEY), (self.never, Repeat.NEVER))
        return {name: repeat for names, repeat in groups for name in names.split()}


OFFERED: Mapping[str, Offer] = {
    "sessions": Offer(
        Sessions,
        safe="get list page search touch activate complete_task set_organization end remove revoke attest",
        by_key="create",
        # Repeated, it would also end the sessions that began in between.
        never="revoke_all_of_user revoke_all",
    ),
    "tokens": Offer(Tokens, safe="create verify verify_session settle"),
    # The name of what was created is taken when it is created again.
    "templates": Offer(Templates, safe="get named list page update", never="create delete"),
    # What was deleted is not found when it is deleted again.
    "users": Offer(
        Users,
        safe="get list page count by_external_id ensure update merge_metadata lock unlock ban unban",
        by_key="create",
        never="delete",
    ),
    "organizations": Offer(
        Organizations, safe="get list page update merge_metadata", by_key="create", never="delete"
    ),
    "memberships": Offer(
        Memberships, safe="get list page update merge_metadata", by_key="add", never="remove"
    ),
    # A client's secret changes with what it does, and with an answer its successor would be lost.
    "clients": Offer(
        Clients,
        safe="get list recognise verify",
        never="create sign_in make_active end_session remove_session remove_sessions destroy",
    ),
    "devices": Offer(Devices, safe="describe"),
    # The text of a ticket is in one answer and kept nowhere; what was revoked cannot be revoked again.
    "tickets": Offer(
        Tickets,
        safe="get",
        never="create_actor_token create_sign_in_token revoke_actor_token revoke_sign_in_token redeem",
    ),
    "testing_tokens": Offer(TestingTokens, safe="create"),
    "refresh_tokens": Offer(RefreshTokens, safe="exchange", never="issue"),
    "end_links": Offer(EndLinks, safe="create redeem"),
    "events": Offer(EventLog, safe="read end"),
    "policies": Offer(Policies, safe="get change reset"),
    "history": Offer(History, safe="of_session explain"),
    "endings": Offer(Endings, safe="preview get list cancel", never="begin"),
}
"""Signing keys, API keys, sweeper and doctor belong to whoever runs the service, handshakes to its pages:
these are not offered."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method that is offered."""

    service: str
    method: str
    repeat: Repeat
    text: str
    """The method's docstring."""
    arguments: type[msgspec.Struct]
    """One field for each parameter that can travel; those that are not given are UNSET."""
    answer: type[msgspec.Struct]
    """What comes back, in the field `value`."""
    takes_metadata: bool
    """Whether metadata is among the arguments, which may be large."""

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/sojourn/v1/services/{self.service}/{self.method}"

    @property
    def name(self) -> str:
        """Its operation id."""
        return f"Call{_pascal(self.service)}{_pascal(self.method)}"


@cache
def calls() -> Mapping[tuple[str, str], Call]:
    """Every call by service and method."""
    return {
        (service, method): _call(service, method, offer.service, repeat)
        for service, offer in OFFERED.items()
        for method, repeat in offer.methods().items()
    }


def _call(service: str, method: str, owner: type, repeat: Repeat) -> Call:
    function = getattr(owner, method)
    hints = get_type_hints(function)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = values.wire_type(hints[parameter.name])
        if not values.can_travel(kind):
            continue
        required = parameter.default is parameter.empty
        fields.append((parameter.name, kind) if required else (parameter.name, kind | UnsetType, UNSET))
    name = f"{_pascal(service)}{_pascal(method)}"
    arguments = msgspec.defstruct(f"{name}Arguments", fields, kw_only=True)
    return Call(
        service=service,
        method=method,
        repeat=repeat,
        text=inspect.getdoc(function) or "",
        arguments=arguments,
        answer=msgspec.defstruct(f"{name}Answer", [("value", values.wire_type(hints["return"]))]),
        takes_metadata="metadata" in str(msgspec.json.schema(arguments, schema_hook=values.schema_of)),
    )


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
