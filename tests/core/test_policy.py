"""Policy: defaults, limits of one session, limits under an actor, and refusals that name the setting."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.core.errors import Invalid
from sojourn.core.policy import DAY, MAX_SECONDS, MINUTE, Limits, Policy

DURATIONS = [spec.name for spec in fields(Policy) if spec.name.endswith("_seconds")]


def refused(**settings: int) -> str:
    """The setting that the policy's refusal names."""
    with pytest.raises(Invalid) as error:
        Policy(**settings)  # type: ignore[arg-type]
    return str(error.value.meta["param_name"])


def test_the_defaults_are_the_published_ones() -> None:
    """7 days, no inactivity, abandonment after 30 days, half an hour for actors, tokens of a minute."""
    policy = Policy()
    assert policy.lifetime_seconds == 7 * DAY
    assert policy.inactivity_seconds is None
    assert policy.abandonment_seconds is None
    assert policy.impersonation_lifetime_seconds == 30 * MINUTE
    assert policy.impersonation_inactivity_seconds == 10 * MINUTE
    assert policy.touch_interval_seconds == policy.token_lifetime_seconds == 60
    assert policy.single_session is False


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("seconds", [0, -1, MAX_SECONDS + 1, 10**18])
def test_a_duration_out_of_range_is_named(name: str, seconds: int) -> None:
    """Every duration is from one second to ten years."""
    assert refused(**{name: seconds}) == name


@pytest.mark.parametrize(
    ("name", "lifetime"),
    [
        ("inactivity_seconds", "lifetime_seconds"),
        ("impersonation_inactivity_seconds", "impersonation_lifetime_seconds"),
    ],
)
def test_inactivity_must_fit_in_between(name: str, lifetime: str) -> None:
    """Two touches long, or a session in use would end; shorter than the lifetime, or it means nothing."""
    assert refused(**{name: 1000, lifetime: 1000}) == name
    assert refused(**{name: 119}) == name
    Policy(**{name: 999, lifetime: 1000})  # type: ignore[arg-type]
    Policy(**{name: 120})  # type: ignore[arg-type]


def test_a_long_touch_interval_is_refused_where_it_does_not_fit() -> None:
    """It is the inactivity limit of impersonation (10 minutes) that it would make unfair."""
    assert refused(touch_interval_seconds=301) == "impersonation_inactivity_seconds"


def test_limits_override_one_by_one() -> None:
    """What a session does not ask for is the policy's."""
    policy = Policy(lifetime_seconds=5000, inactivity_seconds=300, abandonment_seconds=4000)
    assert policy.with_limits(Limits()) == policy
    own = policy.with_limits(Limits(lifetime_seconds=6000))
    assert (own.lifetime_seconds, own.inactivity_seconds, own.abandonment_seconds) == (6000, 300, 4000)
    own = policy.with_limits(Limits(inactivity_seconds=400, abandonment_seconds=70))
    assert (own.lifetime_seconds, own.inactivity_seconds, own.abandonment_seconds) == (5000, 400, 70)


def test_a_short_life_needs_no_inactivity_limit() -> None:
    """Asking for a lifetime below the policy's inactivity limit is no mistake: that limit falls away."""
    policy = Policy(inactivity_seconds=3600)
    own = policy.with_limits(Limits(lifetime_seconds=3600))
    assert (own.lifetime_seconds, own.inactivity_seconds) == (3600, None)


@pytest.mark.parametrize("name", ["lifetime_seconds", "inactivity_seconds", "abandonment_seconds"])
@pytest.mark.parametrize("seconds", [0, -5, MAX_SECONDS + 1])
def test_limits_out_of_range_are_named(name: str, seconds: int) -> None:
    """Zero is a wrong duration, not the policy's one."""
    with pytest.raises(Invalid) as error:
        Policy().with_limits(Limits(**{name: seconds}))
    assert error.value.meta["param_name"] == name


def test_limits_that_contradict_each_other_name_the_inactivity() -> None:
    """An inactivity limit that was asked for must be shorter than the lifetime."""
    with pytest.raises(Invalid) as error:
        Policy().with_limits(Limits(lifetime_seconds=600, inactivity_seconds=600))
    assert error.value.meta["param_name"] == "inactivity_seconds"


@given(
    lifetime=st.integers(1, MAX_SECONDS),
    inactivity=st.none() | st.integers(120, MAX_SECONDS),
)
def test_an_actor_never_gets_more_than_the_policy_of_impersonation(
    lifetime: int, inactivity: int | None
) -> None:
    """Whatever was asked for: at most 30 minutes, at most 10 idle, never more than without an actor."""
    if inactivity is not None and inactivity >= lifetime:
        inactivity = None
    asked = Policy().with_limits(Limits(lifetime_seconds=lifetime, inactivity_seconds=inactivity))
    bound = asked.for_actor()
    assert bound.lifetime_seconds == min(lifetime, 1800)
    idle = bound.inactivity_seconds or bound.lifetime_seconds
    assert idle == min(inactivity or 600, 600, bound.lifetime_seconds)
    assert bound.for_actor() == bound
