"""Which sessions: a description by facts, for searching and for ending."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeAlias

from sojourn.core.errors import Invalid, NotFound
from sojourn.core.keys import KeyUse
from sojourn.core.session import Session
from sojourn.service.ports import KeyStore

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions; every member that is given has to fit. Instants are Unix ms, ranges include their start
    and not their end; `addresses` are networks in CIDR notation, of the latest activity.

    `signing_key` is a kid: the sessions that may have been given a token of that key. No session keeps which
    key its tokens were of, and any that lives and was created before the key signed its last may have one.
    """

    user_id: str | None = None
    client_id: str | None = None
    organization_id: str | None = None
    actor: str | None = None
    application: str | None = None
    signing_key: str | None = None
    addresses: tuple[str, ...] = ()
    created_from: int | None = None
    created_before: int | None = None
    active_from: int | None = None
    active_before: int | None = None

    def __post_init__(self) -> None:
        """Raises Invalid naming an instant that lies before all others."""
        for name in ("created_from", "created_before", "active_from", "active_before"):
            if (getattr(self, name) or 0) < 0:
                raise Invalid(name, f"{name} must be an instant, Unix ms.")

    def given(self) -> dict[str, object]:
        """The members that are given, as JSON values."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        found["addresses"] = list(self.addresses)
        return found if self.addresses else {k: v for k, v in found.items() if k != "addresses"}

    def facts(self) -> dict[str, Any]:
        """The members that a store looks at: all but the addresses and the signing key."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_OF_THE_STORE}

    def networks(self) -> tuple[Network, ...]:
        """The addresses as networks. Raises Invalid naming `addresses`."""
        try:
            return tuple(ipaddress.ip_network(text, strict=False) for text in self.addresses)
        except ValueError:
            raise Invalid("addresses", "addresses must be networks in CIDR notation.") from None


_NOT_OF_THE_STORE = ("addresses", "signing_key")


async def with_key(store: KeyStore, which: SessionFilter, now: int) -> SessionFilter:
    """A filter with what its signing key means for the creation of sessions at `now` (ms). Raises NotFound
    for a key that is not known, or not any more."""
    if which.signing_key is None:
        return which
    keys = [row for row in await store.stored_keys() if row.use is KeyUse.SIGNING]
    key = next((row for row in keys if row.kid == which.signing_key), None)
    if key is None:
        raise NotFound("signing key", which.signing_key)
    # What the clock has done since may not have been written down: the next key to sign ends it as well.
    ends = [row.activates_at for row in keys if row.activates_at > key.activates_at]
    ends += [at for at in (key.retired_at, which.created_before) if at is not None]
    if key.activates_at > now:
        ends.append(0)  # it has signed nothing yet
    return replace(which, created_before=min(ends, default=None))


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
