"""Choosing an organization and completing tasks, as rules; organizations and members on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sojourn.core import lifecycle
from sojourn.core.directory import Contact, Member, Membership, Organization, User
from sojourn.core.lifecycle import Trigger
from sojourn.core.policy import Policy
from sojourn.core.session import CHOOSE_ORGANIZATION, Instigator, Session, Status

NOW = 1_767_225_600_000
ENDINGS = (Trigger.END, Trigger.REMOVE, Trigger.REVOKE, Trigger.REPLACE)


def session(*tasks: str, organization_id: str | None = None) -> Session:
    """A new session with these tasks."""
    return lifecycle.create(
        session_id="s",
        user_id="u",
        client_id="c",
        policy=Policy(),
        now=NOW,
        tasks=tasks,
        organization_id=organization_id,
    )


def test_tasks_go_one_by_one() -> None:
    """Each completion is a change; the last one activates; deadlines and activity stay."""
    before = session("a", "b")
    half = lifecycle.complete_task(before, "a", NOW + 1)
    assert half == replace(before, tasks=("b",), version=2, updated_at=NOW + 1)
    done = lifecycle.complete_task(half, "b", NOW + 2)
    assert done == replace(before, tasks=None, status=Status.ACTIVE, version=3, updated_at=NOW + 2)


@pytest.mark.parametrize("key", ["", "a", "A"])
def test_a_task_that_is_none(key: str) -> None:
    """What is no task of the session changes nothing, pending or active."""
    for one in (session("b"), session()):
        assert lifecycle.complete_task(one, key, NOW + 1) is one


def test_choosing_changes_the_organization_alone() -> None:
    """To one, to another, to none; the same again is no change."""
    before = session()
    chosen = lifecycle.choose_organization(before, "org_a", NOW + 1)
    assert chosen == replace(before, last_active_organization_id="org_a", version=2, updated_at=NOW + 1)
    assert lifecycle.choose_organization(chosen, "org_a", NOW + 2) is chosen
    other = lifecycle.choose_organization(chosen, "org_b", NOW + 2)
    assert (other.last_active_organization_id, other.version) == ("org_b", 3)
    none = lifecycle.choose_organization(other, None, NOW + 3)
    assert (none.last_active_organization_id, none.status) == (None, Status.ACTIVE)


def test_choosing_does_its_task() -> None:
    """Only by an organization, even the one that is active already; other tasks stay open."""
    waiting = session(CHOOSE_ORGANIZATION, organization_id="org_a")
    left = lifecycle.choose_organization(waiting, None, NOW + 1)
    assert (left.status, left.tasks) == (Status.PENDING, (CHOOSE_ORGANIZATION,))
    chosen = lifecycle.choose_organization(waiting, "org_a", NOW + 1)
    assert (chosen.status, chosen.tasks) == (Status.ACTIVE, None)
    two = session("a", CHOOSE_ORGANIZATION)
    assert lifecycle.choose_organization(two, "org_a", NOW).tasks == ("a",)


@pytest.mark.parametrize("trigger", ENDINGS)
def test_what_has_ended_is_left_alone(trigger: Trigger) -> None:
    """No choice and no task changes an ended session."""
    ended = lifecycle.finish(session("a"), trigger, NOW + 1, instigator=Instigator.USER)
    assert lifecycle.complete_task(ended, "a", NOW + 2) is ended
    assert lifecycle.choose_organization(ended, "org_a", NOW + 2) is ended


def user(**members: object) -> User:
    """A user."""
    return User(id="user_a", created_at=1, updated_at=1, **members)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("one", "identifier"),
    [
        (user(external_id="42"), None),
        (user(username="anna", external_id="42"), "anna"),
        (user(email_addresses=(Contact(id="i", value="a@x.org", created_at=1),)), "a@x.org"),
        (user(phone_numbers=(Contact(id="i", value="+43", created_at=1),)), "+43"),
    ],
)
def test_what_others_may_know_of_a_member(one: User, identifier: str | None) -> None:
    """A name, an address or a number, never the application's own id nor private metadata of the user."""
    member = Member(
        membership=Membership(
            id="orgmem_a",
            organization_id="org_a",
            user_id="user_a",
            role="org:team_lead",
            permissions=("org:a:b",),
            private_metadata={"a": 1},
            created_at=2,
            updated_at=3,
        ),
        organization=Organization(id="org_a", name="A", created_at=4, updated_at=5),
        user=replace(one, private_metadata={"secret": 1}, first_name="A"),
    )
    wire = member.to_wire()
    assert wire["public_user_data"] == {
        "user_id": "user_a",
        "first_name": "A",
        "last_name": None,
        "profile_image_url": None,
        "image_url": "",
        "has_image": False,
        "identifier": identifier,
        "username": one.username,
        "banned": False,
    }
    assert (wire["role_name"], wire["permissions"], wire["private_metadata"]) == (
        "Team Lead",
        ["org:a:b"],
        {"a": 1},
    )
    assert "secret" not in str(wire)


def test_an_organization_tells_what_was_asked_for() -> None:
    """Creator and counts stand there when they are known, 0 and false included."""
    bare = Organization(id="org_a", name="A", created_at=4, updated_at=5)
    told = replace(bare, created_by="user_a", members_count=0, missing_admin=False, slug="a")
    more = {"created_by": "user_a", "members_count": 0, "missing_member_with_elevated_permissions": False}
    assert told.to_wire() == {**bare.to_wire(), **more, "slug": "a"}
    assert bare.to_wire()["slug"] == ""
