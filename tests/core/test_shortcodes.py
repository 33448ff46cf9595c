"""Shortcodes: how claims are parsed and filled in, against a naive model of the documented rules."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sojourn.core import shortcodes
from sojourn.core.claims import ActiveOrganization
from sojourn.core.directory import Contact, Membership, Organization, User
from sojourn.core.session import Actor
from sojourn.core.shortcodes import SHORTCODES, Subject, TooLarge, fill
from tests.core.test_claims import SESSION

METADATA = {
    "plan": "pro",
    "n": 7,
    "off": False,
    "zero": 0,
    "empty": "",
    "none": None,
    "deep": {"a": {"b": [1, {"c": True}]}},
    "sneaky": "{{user.id}}",
}
USER = User(
    id="user_1",
    external_id="42",
    username="anna",
    first_name="Anna",
    last_name="Ek",
    email_addresses=(Contact(id="idn_1", value="anna@x.org", created_at=0),),
    phone_numbers=(Contact(id="idn_2", value="+4612", created_at=0, verified=False),),
    public_metadata=METADATA,
    private_metadata={"secret": "canary"},
    unsafe_metadata={"theme": "dark"},
    created_at=1_700_000_000_123,
    updated_at=1_700_000_001_999,
    last_sign_in_at=1_700_000_002_000,
)
ACTIVE = ActiveOrganization(
    organization=Organization(
        id="org_1", name="Acme", slug="acme", public_metadata={"tier": 2}, created_at=0, updated_at=0
    ),
    membership=Membership(
        id="orgmem_1",
        organization_id="org_1",
        user_id="user_1",
        role="org:admin",
        permissions=("org:posts:read", "org:sys_memberships:read"),
        public_metadata={"team": "red"},
        created_at=0,
        updated_at=0,
    ),
)
SUBJECT = Subject(
    session=replace(SESSION, actor=Actor("user_9", {"note": {"a": 1}})),
    user=USER,
    organization=ACTIVE,
    roles={"org_1": "org:admin"},
)
BARE = Subject(session=SESSION, user=User(id="user_1", created_at=0, updated_at=0))
LIMIT = 8192


def filled(text: str, subject: Subject = SUBJECT) -> object:
    """What becomes of one string."""
    return fill({"x": text}, subject, limit=LIMIT)["x"]


EVERY: dict[str, tuple[object, object]] = {
    "user.id": ("user_1", "user_1"),
    "user.external_id": ("42", None),
    "user.username": ("anna", None),
    "user.first_name": ("Anna", None),
    "user.last_name": ("Ek", None),
    "user.full_name": ("Anna Ek", None),
    "user.image_url": ("", ""),
    "user.has_image": (False, False),
    "user.primary_email_address": ("anna@x.org", None),
    "user.primary_phone_number": ("+4612", None),
    "user.primary_web3_wallet": (None, None),
    "user.email_verified": (True, False),
    "user.phone_number_verified": (False, False),
    "user.two_factor_enabled": (False, False),
    "user.created_at": (1_700_000_000, 0),
    "user.updated_at": (1_700_000_001, 0),
    "user.last_sign_in_at": (1_700_000_002, None),
    "user.public_metadata": (METADATA, {}),
    "user.unsafe_metadata": ({"theme": "dark"}, {}),
    "user.organizations": ({"org_1": "org:admin"}, {}),
    "org.id": ("org_1", None),
    "org.name": ("Acme", None),
    "org.slug": ("acme", None),
    "org.role": ("org:admin", None),
    "org.image_url": ("", None),
    "org.public_metadata": ({"tier": 2}, None),
    "org_membership.role": ("org:admin", None),
    "org_membership.permissions": (["org:posts:read"], None),
    "org_membership.public_metadata": ({"team": "red"}, None),
    "session.actor": ({"sub": "user_9", "note": {"a": 1}}, None),
    "session.reverification_id": (None, None),
}


def test_every_shortcode() -> None:
    """Each has its value for somebody with everything and for somebody with nothing, in its own type."""
    assert set(EVERY) == set(SHORTCODES)
    for name, (whole, bare) in EVERY.items():
        for subject, value in ((SUBJECT, whole), (BARE, bare)):
            found = filled("{{" + name + "}}", subject)
            assert (found, type(found)) == (value, type(value)), name
        assert SHORTCODES[name].meaning


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{user.public_metadata.plan}}", "pro"),
        ("{{ user.public_metadata.n }}", 7),
        ("{{user.public_metadata.deep.a}}", {"b": [1, {"c": True}]}),
        ("{{user.public_metadata.deep.a.b.0}}", None),
        ("{{user.public_metadata.plan.more}}", None),
        ("{{session.actor.sub}}", "user_9"),
        ("{{org.public_metadata.tier}}", 2),
        # What there is not of a namespace that there is.
        ("{{user.private_metadata}}", None),
        ("{{user.private_metadata.secret}}", None),
        ("{{user.nothing}}", None),
        ("{{user.id.more}}", None),
        ("{{session.id}}", None),
        ("[{{user.nothing}}]", "[null]"),
        # What is no expression stays.
        ("{{organization.id}}", "{{organization.id}}"),
        ("{{user}}", "{{user}}"),
        ("{{}}", "{{}}"),
        ("{{ }}", "{{ }}"),
        ("{{user.id", "{{user.id"),
        ("{{user.id}", "{{user.id}"),
        ("{{user.id user.id}}", "{{user.id user.id}}"),
        ("{{user.id | user.id}}", "{{user.id | user.id}}"),
        ("{{user.id ||}}", "{{user.id ||}}"),
        ("{{|| user.id}}", "{{|| user.id}}"),
        ("{{user..id}}", "{{user..id}}"),
        ("{{user.id || nothing.id}}", "{{user.id || nothing.id}}"),
        ("{{'open}}", "{{'open}}"),
        ("{{1.}}", "{{1.}}"),
        # Within a text.
        ("a{{user.id}}b", "auser_1b"),
        ("{{user.id}}{{user.id}}", "user_1user_1"),
        (" {{user.public_metadata.n}}", " 7"),
        ("{{user.public_metadata.off}}!", "false!"),
        ("{{org.public_metadata}}.", '{"tier":2}.'),
        ("{{{user.id}}}", "{user_1}"),
        ("{{x.y}} {{user.id}}", "{{x.y}} user_1"),
        # Alternatives: neither null nor false, else the last.
        ("{{user.nothing || user.id}}", "user_1"),
        ("{{user.public_metadata.off || 'x'}}", "x"),
        ("{{user.public_metadata.zero || 'x'}}", 0),
        ("{{user.public_metadata.empty || 'x'}}", ""),
        ("{{user.nothing||user.public_metadata.off}}", False),
        ("{{user.public_metadata.off || user.nothing}}", None),
        ("{{user.a || user.b || user.c || 3}}", 3),
        ("{{'it ''is'}}", "{{'it ''is'}}"),
        ("{{'}}'}}", "}}"),
        ("{{'{{user.id}}'}}", "{{user.id}}"),
        ("{{true}}", True),
        ("{{false}}", False),
        ("{{-12}}", -12),
        ("{{1.50}}", 1.5),
        ("{{''}}", ""),
        # What is filled in is not looked at again.
        ("{{user.public_metadata.sneaky}}", "{{user.id}}"),
        ("-{{user.public_metadata.sneaky}}-", "-{{user.id}}-"),
    ],
)
def test_the_rules_one_by_one(text: str, value: object) -> None:
    """Each rule of substitution, with the type of what comes out."""
    found = filled(text)
    assert (found, type(found)) == (value, type(value))


def test_claims_are_filled_at_any_depth() -> None:
    """Strings in objects and lists are filled, names of members and other values stay."""
    claims = {"a": {"{{user.id}}": ["{{user.id}}", 1, None, {"b": "{{org.id}}!"}]}, "c": True}
    assert fill(claims, SUBJECT, limit=LIMIT) == {
        "a": {"{{user.id}}": ["user_1", 1, None, {"b": "org_1!"}]},
        "c": True,
    }
    assert shortcodes.names_in(claims) == {"user.id", "org.id"}


def test_t28_no_metadata_leads_to_private_metadata() -> None:
    """T-28: whatever path a template takes, the private metadata is in no claim."""
    paths = ["user.private_metadata", "user.private_metadata.secret", "user.public_metadata.private_metadata"]
    text = json.dumps(fill({p: "{{" + p + "}}" for p in paths}, SUBJECT, limit=LIMIT))
    assert "canary" not in text


# Against a model -------------------------------------------------------------------------------------------

PATHS = [*SHORTCODES, *(f"user.public_metadata.{name}" for name in METADATA), "user.x", "other.x", "user"]
OPERANDS = st.one_of(
    st.sampled_from(PATHS),
    st.integers(-99, 99).map(str),
    st.sampled_from(["true", "false", "'a b'", "'}}'", "''", "'||'"]),
)
SPACES = st.sampled_from(["", " ", "\t "])


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """An expression between braces, sometimes one that is none."""
    operands = draw(st.lists(OPERANDS, min_size=1, max_size=4))
    joined = draw(st.sampled_from(["||", " || ", "|", ""])).join(operands)
    return "{{" + draw(SPACES) + joined + draw(SPACES) + draw(st.sampled_from(["}}", "}}", "}}", "}"]))


TEXTS = st.lists(
    st.one_of(expressions(), st.sampled_from(["a", "{", "}", "{{", "'", " | ", "é"])), max_size=4
)


def model(text: str, subject: Subject = SUBJECT) -> object:
    """The documented rules said naively: cut the text at quotes, bars and braces, and look up what is
    left."""
    pieces: list[tuple[bool, object]] = []
    while text:
        if text.startswith("{{") and (found := model_expression(text[2:], subject)) is not None:
            value, text = found
            pieces.append((True, value))
        else:
            pieces.append((False, text[0]))
            text = text[1:]
    if len(pieces) == 1 and pieces[0][0]:
        return pieces[0][1]
    read = [
        p if isinstance(p, str) else json.dumps(p, ensure_ascii=False, separators=(",", ":"))
        for _, p in pieces
    ]
    return "".join(read)


def model_expression(rest: str, subject: Subject) -> tuple[object, str] | None:
    """Value and what follows, or None: the operands up to the first braces that are not quoted."""
    quoted, operands, operand, at = False, [], "", 0
    while True:
        if at >= len(rest):
            return None
        if rest[at] == "'":
            quoted = not quoted
        if not quoted and rest.startswith("}}", at):
            operands.append(operand)
            break
        if not quoted and rest.startswith("||", at):
            operands.append(operand)
            operand, at = "", at + 2
            continue
        operand, at = operand + rest[at], at + 1
    values: list[object] = []
    for one in (operand.strip(" \t\r\n") for operand in operands):
        if re.fullmatch("'[^']*'", one):
            values.append(one[1:-1])
        elif one in ("true", "false") or re.fullmatch(r"-?\d+", one):
            values.append(json.loads(one))
        elif re.fullmatch(r"(user|org|org_membership|session)(\.[^\s.|{}']+)+", one):
            values.append(model_path(one, subject))
        else:
            return None
    value = next((v for v in values[:-1] if v is not None and v is not False), values[-1])
    return value, rest[at + 2 :]


def model_path(path: str, subject: Subject) -> object:
    """What EVERY says, and from there on member by member."""
    whole: Any = next((v for n, (v, _) in EVERY.items() if path == n or path.startswith(n + ".")), None)
    for name in path.split(".")[2:]:
        whole = whole.get(name) if isinstance(whole, dict) else None
    return whole


@given(parts=TEXTS)
@example(parts=["{{0 || 1}}"])
def test_filling_in_agrees_with_the_model(parts: list[str]) -> None:
    """Whatever is put together of expressions, broken ones too, comes out as the naive rules say."""
    text = "".join(parts)
    found, wanted = filled(text), model(text)
    assert (found, type(found)) == (wanted, type(wanted)), text


@given(text=st.text("{}|' .u1-", max_size=40))
def test_any_text_agrees_with_the_model(text: str) -> None:
    """So does what looks least like an expression."""
    assert filled(text) == model(text)


def test_the_model_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with another rule for what counts as absent, the comparison fails."""

    def falsy(self: Any, expression: Any) -> tuple[object, str]:
        value: object = None
        for operand in expression:
            literal = isinstance(operand, shortcodes.Literal)
            value = operand.value if literal else shortcodes._read(operand, self._subject)
            if value:
                break
        return value, shortcodes.text_of(value)

    monkeypatch.setattr(shortcodes._Filling, "_evaluated", falsy)
    with pytest.raises(AssertionError):
        test_filling_in_agrees_with_the_model()


# Bounds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * LIMIT,
        "{{" + " " * LIMIT,
        "{{'" * (LIMIT // 3),
        "{{'x'||" * 128,
        "{{" + "'{{'||" * 128 + "'" * 4000,
        "{{" + "user.id||" * 900,
        "{{user." + "a." * 4000,
        "{{" + "9" * LIMIT,
        "{{user.id" + "}" * LIMIT,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long_to_parse(hostile: str) -> None:
    """The longest hostile texts, and twice as long ones in no more than a few times the time of the half."""

    def taken(text: str) -> float:
        best = 1e9
        for _ in range(5):
            begun = time.process_time()
            for _ in range(5):
                shortcodes.parse(text)
            best = min(best, time.process_time() - begun)
        return best

    # Quadratic is 16 times as long; linear 4. A floor for what is too quick to be measured.
    assert taken(hostile * 4) <= 10 * max(taken(hostile), 2e-3)


def test_a_large_value_costs_no_more_than_it_may() -> None:
    """What is filled in is bounded as a whole: by one large value, and by a small one often."""
    subject = replace(BARE, user=replace(BARE.user, unsafe_metadata={"a": "x" * 100_000, "b": "y" * 100}))
    for text in ("{{user.unsafe_metadata}}", "-{{user.unsafe_metadata.a}}"):
        with pytest.raises(TooLarge):
            fill({"x": text}, subject, limit=LIMIT)
    many = {str(n): "{{user.unsafe_metadata.b}}" for n in range(81)}
    assert len(fill(many, subject, limit=LIMIT)) == 81
    with pytest.raises(TooLarge):
        fill({**many, "more": "{{user.unsafe_metadata.b}}"}, subject, limit=LIMIT)


def test_what_is_filled_in_is_a_copy() -> None:
    """Changing the claims of one token changes nobody's metadata."""
    claims = fill({"x": "{{user.public_metadata}}"}, SUBJECT, limit=LIMIT)
    claims["x"]["deep"]["a"] = 1  # pyright: ignore[reportIndexIssue]
    assert METADATA["deep"] == {"a": {"b": [1, {"c": True}]}}
