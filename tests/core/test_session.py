"""Session and what it is made of: the wire form there and back, and refusals that name what is wrong."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.core.errors import Invalid, Missing
from sojourn.core.session import Activity, Actor, Ending, Instigator, Reason, Session, Status

NOW = 1_767_225_600_000
TEXTS = st.text(min_size=1, max_size=20)
INSTANTS = st.integers(0, 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
REQUIRED = (
    "object",
    "id",
    "user_id",
    "client_id",
    "status",
    "last_active_at",
    "expire_at",
    "abandon_at",
    "updated_at",
    "created_at",
)
OPTIONAL = ("actor", "last_active_organization_id", "latest_activity", "tasks")


def wire(**changes: object) -> dict[str, Any]:
    """A session on the wire in which everything is given."""
    return {
        "object": "session",
        "id": "sess_1",
        "user_id": "user_1",
        "client_id": "client_1",
        "status": "pending",
        "last_active_at": NOW + 1,
        "expire_at": NOW + 2,
        "abandon_at": NOW + 3,
        "updated_at": NOW + 4,
        "created_at": NOW,
        "actor": {"sub": "user_2", "iss": "https://support.example", "deep": {"list": [1, None]}},
        "last_active_organization_id": "org_1",
        "latest_activity": {
            "object": "session_activity",
            "id": "sess_activity_1",
            "is_mobile": True,
            "browser_name": "Firefox",
            "city": "Québec",
        },
        "tasks": [{"key": "choose-organization"}, {"key": "setup-mfa"}],
        **changes,
    }


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Any session as a reader of the wire can have it."""
    status = draw(st.sampled_from(Status))
    members = draw(st.dictionaries(TEXTS.filter(lambda key: key != "sub"), JSON, max_size=3))
    texts = {name: draw(st.none() | TEXTS) for name in ("device_type", "browser_name", "city", "country")}
    activity = Activity(id=draw(TEXTS), is_mobile=draw(st.booleans()), **texts)
    updated_at = draw(INSTANTS)
    return Session(
        id=draw(TEXTS),
        user_id=draw(TEXTS),
        client_id=draw(TEXTS),
        status=status,
        last_active_at=draw(INSTANTS),
        expire_at=draw(INSTANTS),
        abandon_at=draw(INSTANTS),
        updated_at=updated_at,
        created_at=draw(INSTANTS),
        actor=draw(st.none() | st.builds(Actor, TEXTS, st.just(MappingProxyType(members)))),
        last_active_organization_id=draw(st.none() | TEXTS),
        latest_activity=draw(st.none() | st.just(activity)),
        tasks=draw(st.none() | st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
        ending=None
        if status.live
        else Ending(at=updated_at, reason=Reason.REVOKED, instigator=Instigator.SYSTEM),
    )


@given(session=sessions())
def test_the_wire_form_comes_back_equal(session: Session) -> None:
    """Through JSON text and back, every field of the resource is what it was."""
    text = json.dumps(session.to_wire())
    back = Session.from_wire(json.loads(text))
    assert replace(back, ending=session.ending) == session
    assert (back.ending is None) == session.status.live
    assert json.dumps(back.to_wire()) == text


def test_the_wire_form_is_the_published_one() -> None:
    """Names, order of no account, null where nothing is known, and nothing of the service's own."""
    assert Session.from_wire(wire()).to_wire() == wire()
    bare = Session.from_wire({name: wire()[name] for name in REQUIRED})
    assert bare.to_wire() == {**wire(), **dict.fromkeys(OPTIONAL)}
    assert set(bare.to_wire()) == {*REQUIRED, *OPTIONAL}


def test_every_field_says_what_it_means() -> None:
    """The reference page is generated from these, so none may lack its meaning."""
    public = [spec for spec in fields(Session) if "meaning" in spec.metadata]
    assert tuple(spec.name for spec in public if spec.metadata["required"]) == REQUIRED
    assert tuple(spec.name for spec in public if not spec.metadata["required"]) == OPTIONAL
    assert all(spec.metadata["meaning"].endswith(".") for spec in public)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_required_field_is_named(name: str) -> None:
    """A session without it is refused, and the refusal says which."""
    data = wire()
    del data[name]
    with pytest.raises(Missing) as refused:
        Session.from_wire(data)
    assert refused.value.meta == {"param_name": name}
    assert refused.value.code == "form_param_missing"


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_missing_optional_field_is_none(name: str) -> None:
    """Older versions of the API have fewer fields: absence and null are the same."""
    data = wire()
    del data[name]
    assert getattr(Session.from_wire(data), name) is None
    assert Session.from_wire(data) == Session.from_wire(wire(**{name: None}))


@pytest.mark.parametrize("name", [n for n in REQUIRED if n != "object"])
def test_null_is_no_value_for_a_required_field(name: str) -> None:
    """Null stands for nothing, which is not enough here."""
    with pytest.raises(Invalid) as refused:
        Session.from_wire(wire(**{name: None}))
    assert refused.value.meta["param_name"] == name


def test_unknown_members_are_tolerated() -> None:
    """A newer API may send more, at every level."""
    data = wire(public_user_data={"x": 1}, version=99, ending="x", sequence=5)
    data["latest_activity"]["os"] = "Plan 9"
    data["tasks"][0]["since"] = 1
    assert Session.from_wire(data) == Session.from_wire(wire())


WRONG: list[tuple[str, object, str]] = [
    ("object", "user", "object"),
    ("object", None, "object"),
    *((name, value, name) for name in ("id", "user_id", "client_id") for value in (1, "", ["x"])),
    *(
        (name, value, name)
        for name in ("last_active_at", "expire_at", "abandon_at", "updated_at", "created_at")
        for value in ("1", 1.5, True, [1])
    ),
    *(("status", value, "status") for value in ("Active", "", 1, None, [], {}, "deleted")),
    ("actor", "user_2", "actor"),
    ("actor", ["sub"], "actor"),
    ("actor", {}, "actor.sub"),
    ("actor", {"sub": ""}, "actor.sub"),
    ("actor", {"sub": 1}, "actor.sub"),
    ("last_active_organization_id", 1, "last_active_organization_id"),
    ("last_active_organization_id", "", "last_active_organization_id"),
    ("latest_activity", "here", "latest_activity"),
    ("latest_activity", {"is_mobile": True}, "latest_activity.id"),
    ("latest_activity", {"id": "a"}, "latest_activity.is_mobile"),
    ("latest_activity", {"id": 1, "is_mobile": True}, "latest_activity.id"),
    ("latest_activity", {"id": "a", "is_mobile": 1}, "latest_activity.is_mobile"),
    ("latest_activity", {"id": "a", "is_mobile": True, "city": 7}, "latest_activity.city"),
    ("tasks", "setup", "tasks"),
    ("tasks", {"key": "setup"}, "tasks"),
    ("tasks", ["setup"], "tasks"),
    ("tasks", [{}], "tasks.key"),
    ("tasks", [{"key": ""}], "tasks.key"),
    ("tasks", [{"key": None}], "tasks.key"),
]


@pytest.mark.parametrize(("name", "value", "named"), WRONG)
def test_a_wrong_type_is_named(name: str, value: object, named: str) -> None:
    """Every member has its type, and a refusal tells the member by its path."""
    with pytest.raises(Invalid) as refused:
        Session.from_wire(wire(**{name: value}))
    assert refused.value.meta["param_name"] == named


@pytest.mark.parametrize("status", Status)
def test_live_goes_by_the_end(status: Status) -> None:
    """Active and pending stand; from the wire every other status has ended."""
    session = Session.from_wire(wire(status=status.value))
    assert session.live == status.live == (status in {Status.ACTIVE, Status.PENDING})
    assert session.ending is None or session.ending.at == NOW + 4


def test_values_cannot_be_changed() -> None:
    """A session that was handed out stays what it was."""
    session = Session.from_wire(wire())
    with pytest.raises(FrozenInstanceError):
        session.status = Status.REVOKED  # type: ignore[misc]
    assert session.actor is not None
    with pytest.raises(TypeError):
        session.actor.members["iss"] = "changed"  # type: ignore[index]


def test_an_actor_comes_back_as_it_was_given() -> None:
    """`sub` first, everything else untouched, in its order."""
    given = {"iss": "https://support.example", "sub": "user_2", "type": "agent", "x": None}
    back = Actor.from_wire(given).to_wire()
    assert back == given
    assert list(back) == ["sub", "iss", "type", "x"]


def test_an_activity_leaves_out_what_is_not_known() -> None:
    """The specification has no null there."""
    activity = Activity(id="sess_activity_1", ip_address="::1")
    expected = {
        "object": "session_activity",
        "id": "sess_activity_1",
        "is_mobile": False,
        "ip_address": "::1",
    }
    assert activity.to_wire() == expected
    assert Activity.from_wire(expected) == activity
