"""Plans: what a user or an organization is entitled to, as features.

sojourn sells nothing. Which plans there are, and what is in each, is said once, in the configuration; which
plan somebody has, the application writes into the public metadata, where no user can write:

    plans = { "u:pro" = ["export"], "o:team" = ["posts", "audit"] }
    {"public_metadata": {"plan": "team"}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sojourn.core.errors import Invalid, clip

MEMBER = "plan"
"""The member of the public metadata that names the plan."""
_KEY = re.compile(r"[uo]:[a-z0-9_-]{1,64}")
_FEATURE = re.compile(r"[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, and the features that are in it."""

    slug: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plans:
    """The features of every plan, by `u:<slug>` for users and `o:<slug>` for organizations."""

    features: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse keys and features that tokens could not carry. Raises Invalid naming the plan."""
        for key, features in self.features.items():
            if _KEY.fullmatch(key) is None:
                raise Invalid(
                    key, f"{clip(key)} is no plan: it has to read u: or o: and a key in small letters."
                )
            for feature in features:
                if _FEATURE.fullmatch(feature) is None:
                    raise Invalid(
                        key, f"{clip(feature)} is no feature: it takes small letters, digits, _ and -."
                    )

    @property
    def for_users(self) -> bool:
        """Whether users may have one."""
        return any(key.startswith("u:") for key in self.features)

    def of_user(self, metadata: Mapping[str, object]) -> Plan | None:
        """The plan that a user's public metadata name, None for none that there is."""
        return self._named("u", metadata)

    def of_organization(self, metadata: Mapping[str, object]) -> Plan | None:
        """The plan that an organization's public metadata name, None for none that there is."""
        return self._named("o", metadata)

    def _named(self, scope: str, metadata: Mapping[str, object]) -> Plan | None:
        slug = metadata.get(MEMBER)
        if not isinstance(slug, str):
            return None
        features = self.features.get(f"{scope}:{slug}")
        return None if features is None else Plan(slug, tuple(dict.fromkeys(features)))
