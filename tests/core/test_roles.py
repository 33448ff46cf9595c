"""Roles and metadata: plain rules."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.core.errors import Invalid
from sojourn.core.metadata import merge
from sojourn.core.roles import ADMIN, BUILT_IN, MEMBER, Roles, check_role


def test_a_role_may_do_what_is_built_in_and_what_is_granted() -> None:
    """Both together, sorted and without repetition; a role that nobody granted anything may do nothing."""
    roles = Roles({ADMIN: ["org:b:c", "org:a:d", "org:b:c"], "org:editor": ["org:a:d"]})
    assert roles.permissions_of(ADMIN) == ("org:a:d", "org:b:c", *BUILT_IN[ADMIN])
    assert roles.permissions_of(MEMBER) == BUILT_IN[MEMBER]
    assert roles.permissions_of("org:editor") == ("org:a:d",)
    assert roles.permissions_of("org:guest") == ()
    assert Roles().permissions_of(ADMIN) == BUILT_IN[ADMIN]


@pytest.mark.parametrize(
    "role", ["org:a", "org:billing_manager", "org:team-lead", "org:a1", "org:" + "x" * 63]
)
def test_keys_of_roles(role: str) -> None:
    """Small letters, digits, dashes and underscores behind org:, beginning with a letter."""
    check_role(role)


@pytest.mark.parametrize("role", ["", "org:", "org", "a", "org:A", "org:1", "org:a\n", "org:é", "org:a:b"])
def test_what_is_no_role(role: str) -> None:
    """Anything else is refused, alone and in a table."""
    with pytest.raises(Invalid, match="role"):
        check_role(role)
    with pytest.raises(Invalid):
        Roles({role: []})


@pytest.mark.parametrize(
    "permission", ["", "org:a", "a:b", "org:a:b:c", "org:A:b", "org:a:b,c", "org:sys_a:b"]
)
def test_what_is_no_permission(permission: str) -> None:
    """What a token could not carry apart is refused, and so are the names of the system's own."""
    with pytest.raises(Invalid) as error:
        Roles({"org:editor": [permission]})
    assert error.value.meta["param_name"] == "org:editor"


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": None, "c": {"d": None, "e": 0}}}, {"a": {"c": {"e": 0}}}),
        ({"a": False}, {"a": 0}, {"a": 0}),
    ],
)
def test_metadata_is_merged(before: dict[str, Any], changes: dict[str, Any], after: dict[str, Any]) -> None:
    """Objects level by level, lists and values as a whole, null removes; what was there is left alone."""
    given = repr(before)
    assert merge(before, changes) == after
    assert repr(before) == given
