"""The port to a directory of addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address is, as far as is known. `country` is the two letters of ISO 3166-1."""

    city: str | None = None
    country: str | None = None


NOWHERE = Place()
"""What is answered where nothing is known."""


class Places(Protocol):
    """Finds places by address."""

    def place(self, address: str) -> Place:
        """The place of an IPv4 or IPv6 address; `NOWHERE` for one that is not known, and for no address.
        Never raises."""
        ...
