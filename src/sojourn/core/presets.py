"""Policy presets: the limits that a published standard or service asks for, with the place where it says so.

A preset sets some members of the policy; the others keep their defaults, and whoever chooses one may change
any of them. A preset makes nobody conformant: `beyond` says what of its source no policy can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sojourn.core.errors import Invalid
from sojourn.core.policy import DAY, HOUR, MINUTE, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Members of the policy under a name."""

    name: str
    members: Mapping[str, object]
    source: str
    beyond: str

    def policy(self) -> Policy:
        """The default policy with these members."""
        return Policy().with_changes(self.members)


def _preset(name: str, *, source: str, beyond: str, **members: object) -> Preset:
    return Preset(name=name, members=MappingProxyType(members), source=source, beyond=beyond)


_NIST = "NIST SP 800-63B-4 (2025), 2.{}.3 and 5.2"
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        one.name: one
        for one in (
            _preset(
                "clerk",
                source="Clerk, session options: 7 days, no inactivity limit, one session a client; "
                "tokens of 60 seconds",
                beyond="nothing",
                lifetime_seconds=7 * DAY,
                inactivity_seconds=None,
                single_session=True,
                token_lifetime_seconds=MINUTE,
            ),
            _preset(
                "nist-aal1",
                source=_NIST.format(1) + ": overall at most 30 days (should), inactivity may be limited",
                beyond="signing in again takes any one factor",
                lifetime_seconds=30 * DAY,
                inactivity_seconds=None,
            ),
            _preset(
                "nist-aal2",
                source=_NIST.format(2)
                + ": overall at most 24 hours, inactivity at most 1 hour (both should)",
                beyond="signing in takes two factors",
                lifetime_seconds=DAY,
                inactivity_seconds=HOUR,
            ),
            _preset(
                "nist-aal3",
                source=_NIST.format(3)
                + ": overall at most 12 hours (shall), inactivity at most 15 minutes (should)",
                beyond="signing in takes two factors, one of them a key in hardware that resists phishing",
                lifetime_seconds=12 * HOUR,
                inactivity_seconds=15 * MINUTE,
            ),
            _preset(
                "asvs-l2",
                source="OWASP ASVS 5.0, 7.1.1, 7.1.2, 7.3.1 and 7.3.2, which ask for documented limits and "
                "give no numbers: 30 minutes and 8 hours are the upper ends that OWASP's Session Management "
                "Cheat Sheet has for an application of low risk and for a day in an office; ten sessions a "
                "user are our choice",
                beyond="the limits have to be documented with the reason for them; 7.4.4, 7.5.1 and 7.5.2 "
                "are the application's",
                lifetime_seconds=8 * HOUR,
                inactivity_seconds=30 * MINUTE,
                max_sessions_per_user=10,
                session_limit_action="evict_idle",
            ),
        )
    }
)


def preset(name: str) -> Preset:
    """The preset with this name. Raises Invalid naming those there are."""
    if name not in PRESETS:
        raise Invalid("preset", f"preset must be one of {', '.join(PRESETS)}.")
    return PRESETS[name]
