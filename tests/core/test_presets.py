"""Policy presets: the numbers of their sources."""

from __future__ import annotations

import pytest

from sojourn.core.errors import Invalid
from sojourn.core.policy import Policy
from sojourn.core.presets import PRESETS, preset

HOUR, DAY = 3600, 86_400
NUMBERS = {
    "clerk": (7 * DAY, None),
    "nist-aal1": (30 * DAY, None),
    "nist-aal2": (24 * HOUR, HOUR),
    "nist-aal3": (12 * HOUR, HOUR // 4),
    "asvs-l2": (8 * HOUR, HOUR // 2),
}
"""Maximum lifetime and inactivity limit in seconds: NIST SP 800-63B-4 2.1.3, 2.2.3, 2.3.3; the published
service's defaults; the upper ends of OWASP's cheat sheet."""


@pytest.mark.parametrize("name", NUMBERS)
def test_a_preset_has_the_numbers_of_its_source(name: str) -> None:
    """Lifetime and inactivity are those, an inactivity limit can be held to, and it says where they are from
    and what is left to do."""
    one = preset(name)
    policy = one.policy()
    assert (policy.lifetime_seconds, policy.inactivity_seconds) == NUMBERS[name]
    assert policy.inactivity_seconds is None or policy.touch_interval_seconds * 2 <= policy.inactivity_seconds
    assert one.source
    assert one.beyond


def test_every_preset_is_looked_at() -> None:
    """None is without its numbers here."""
    assert list(PRESETS) == list(NUMBERS)


def test_what_a_preset_sets_beside_the_two() -> None:
    """One session a client as the published service has it; a number of sessions, as 7.1.2 wants one; nothing
    else, and nothing in those of NIST."""
    rest = {
        name: {n: v for n, v in one.members.items() if n not in ("lifetime_seconds", "inactivity_seconds")}
        for name, one in PRESETS.items()
    }
    assert rest["clerk"] == {"single_session": True, "token_lifetime_seconds": 60}
    assert rest["asvs-l2"] == {"max_sessions_per_user": 10, "session_limit_action": "evict_idle"}
    assert rest["nist-aal1"] == rest["nist-aal2"] == rest["nist-aal3"] == {}
    assert preset("nist-aal2").policy() == Policy(lifetime_seconds=DAY, inactivity_seconds=HOUR)


def test_an_unknown_preset_is_told_which_there_are() -> None:
    """By the name of the parameter, with all names."""
    with pytest.raises(Invalid) as refused:
        preset("nist-aal4")
    assert refused.value.meta == {"param_name": "preset"}
    assert "nist-aal3" in refused.value.detail
