"""Which sessions: a description by facts, for searching and for ending."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from sojourn.core.errors import Invalid
from sojourn.core.session import Session

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions; every member that is given has to fit. Instants are Unix ms, ranges include their start
    and not their end; `addresses` are networks in CIDR notation, of the latest activity."""

    user_id: str | None = None
    client_id: str | None = None
    organization_id: str | None = None
    actor: str | None = None
    application: str | None = None
    addresses: tuple[str, ...] = ()
    created_from: int | None = None
    created_before: int | None = None
    active_from: int | None = None
    active_before: int | None = None

    def given(self) -> dict[str, object]:
        """The members that are given, as JSON values."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        found["addresses"] = list(self.addresses)
        return found if self.addresses else {k: v for k, v in found.items() if k != "addresses"}

    def facts(self) -> dict[str, Any]:
        """The members that a store looks at: all but the addresses."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "addresses"}

    def networks(self) -> tuple[Network, ...]:
        """The addresses as networks. Raises Invalid naming `addresses`."""
        try:
            return tuple(ipaddress.ip_network(text, strict=False) for text in self.addresses)
        except ValueError:
            raise Invalid("addresses", "addresses must be networks in CIDR notation.") from None


def comes_from(session: Session, networks: tuple[Network, ...]) -> bool:
    """Whether the latest activity came from one of the networks; any will do where none is named."""
    if not networks:
        return True
    text = session.latest_activity.ip_address if session.latest_activity else None
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return any(address in network for network in networks)
