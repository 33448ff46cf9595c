"""Plans: which one somebody has, and which a configuration may name."""

from __future__ import annotations

import pytest

from sojourn.core.errors import Invalid
from sojourn.core.plans import Plan, Plans

PLANS = Plans({"u:pro": ("export", "export", "api"), "o:pro": ("audit",), "o:team": ()})


def test_a_plan_is_named_by_metadata() -> None:
    """Of the scope asked for, by its exact name, each feature once."""
    assert PLANS.of_user({"plan": "pro"}) == Plan("pro", ("export", "api"))
    assert PLANS.of_organization({"plan": "pro"}) == Plan("pro", ("audit",))
    assert PLANS.of_organization({"plan": "team"}) == Plan("team")


@pytest.mark.parametrize(
    "metadata", [{}, {"plan": "team"}, {"plan": "Pro"}, {"plan": None}, {"plan": ["pro"]}, {"plan": "u:pro"}]
)
def test_who_has_no_plan(metadata: dict[str, object]) -> None:
    """Nothing named, or nothing that there is for users."""
    assert PLANS.of_user(metadata) is None


def test_whether_users_may_have_one() -> None:
    """Only then is a user read for a session token."""
    assert PLANS.for_users
    assert not Plans({"o:team": ()}).for_users
    assert not Plans().for_users


@pytest.mark.parametrize(
    "plans", [{"pro": ()}, {"x:pro": ()}, {"u:": ()}, {"u:A": ()}, {"u:a": ("b:c",)}, {"u:a": ("",)}]
)
def test_plans_that_no_token_carries(plans: dict[str, tuple[str, ...]]) -> None:
    """Commas and colons part the claims, so that neither may stand in a name."""
    with pytest.raises(Invalid):
        Plans(plans)
