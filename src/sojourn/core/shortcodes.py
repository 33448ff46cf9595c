"""Shortcodes: what may stand between `{{` and `}}` in the claims of a template, and how it is filled in.

    "{{user.id}}"                                the value itself, whatever its type
    "{{user.first_name || 'friend'}}"            the first that is neither null nor false, else the last
    "Hello {{user.full_name}}"                   text; null reads `null`, objects read as JSON

What is no expression, or begins with a word that is no namespace, stays as the text that it is
(wire/backend-api.md section 3.3). What is filled in is never looked at again, so that nobody's metadata can
hold a shortcode.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias, cast

from sojourn.core.claims import ActiveOrganization, granted
from sojourn.core.directory import User
from sojourn.core.session import Session

OPEN = "{{"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a token is about: what shortcodes are read from."""

    session: Session
    user: User
    organization: ActiveOrganization | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The user's role in each organization, by its id; only `user.organizations` reads it."""


@dataclass(frozen=True, slots=True)
class Shortcode:
    """One shortcode: what it is, how it is read, and whether a path may lead on into it."""

    meaning: str
    read: Callable[[Subject], object]
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """A reference, `user.public_metadata.plan` say."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the template itself."""

    value: str | int | float | bool


Expression: TypeAlias = tuple[Path | Literal, ...]
Part: TypeAlias = str | Expression


class TooLarge(ValueError):
    """What was filled in is more than any token holds."""


def parse(text: str) -> list[Part]:
    """The plain and the variable parts of a string, in order; none is empty."""
    parts: list[Part] = []
    done, at = 0, text.find(OPEN)
    while at >= 0:
        found = _expression(text, at + len(OPEN))
        if found is None:
            at = text.find(OPEN, at + 1)
            continue
        expression, end = found
        if at > done:
            parts.append(text[done:at])
        parts.append(expression)
        done, at = end, text.find(OPEN, end)
    if done < len(text):
        parts.append(text[done:])
    return parts


def names_in(claims: object) -> frozenset[str]:
    """The shortcodes that claims refer to, as far as there are such."""
    return frozenset(
        _KEYS[operand.names[:2]]
        for text in texts(claims)
        for part in parse(text)
        if not isinstance(part, str)
        for operand in part
        if isinstance(operand, Path) and operand.names[:2] in _KEYS
    )


def texts(value: object) -> Iterator[str]:
    """Every string in a JSON value, but for the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[object]", value):
            yield from texts(item)


def fill(claims: Mapping[str, object], subject: Subject, *, limit: int) -> dict[str, object]:
    """Claims with every shortcode filled in. Raises TooLarge when what is filled in has more than `limit`
    characters, so that one large value referred to many times costs no more than a small one."""
    filling = _Filling(subject, limit)
    return {name: filling.value(item) for name, item in claims.items()}


def text_of(value: object) -> str:
    """A value as it reads within a text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Filling:
    """One filling-in: its subject, and how many characters are left."""

    def __init__(self, subject: Subject, limit: int) -> None:
        self._subject = subject
        self._left = limit

    def value(self, value: object) -> object:
        if isinstance(value, str):
            return self._string(value) if OPEN in value else value
        if isinstance(value, Mapping):
            return {k: self.value(item) for k, item in cast("Mapping[str, object]", value).items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in cast("Sequence[object]", value)]
        return value

    def _string(self, text: str) -> object:
        parts = parse(text)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return self._evaluated(parts[0])[0]
        return "".join(part if isinstance(part, str) else self._evaluated(part)[1] for part in parts)

    def _evaluated(self, expression: Expression) -> tuple[object, str]:
        """The value of an expression, and how it reads."""
        value: object = None
        for operand in expression:
            value = operand.value if isinstance(operand, Literal) else _read(operand, self._subject)
            if value is not None and value is not False:
                break
        read = text_of(value)
        self._left -= len(read)
        if self._left < 0:
            raise TooLarge("what the shortcodes stand for is too long for any token")
        return value, read


def _expression(text: str, at: int) -> tuple[Expression, int] | None:
    """The expression that begins at a place, and where the text goes on; None when there is none."""
    operands: list[Path | Literal] = []
    while True:
        match = _OPERAND.match(text, at)
        if match is None:
            return None
        operand = _operand(match)
        if operand is None:
            return None
        operands.append(operand)
        at = match.end()
        if match["end"] == "}}":
            return tuple(operands), at


def _operand(match: re.Match[str]) -> Path | Literal | None:
    if match["text"] is not None:
        return Literal(match["text"])
    if match["number"] is not None:
        number = match["number"]
        return Literal(float(number) if "." in number else int(number))
    word = match["path"]
    if word in ("true", "false"):
        return Literal(word == "true")
    names = tuple(word.split("."))
    return Path(names) if len(names) > 1 and names[0] in NAMESPACES else None


def _read(path: Path, subject: Subject) -> object:
    """The value at a path, null where there is none."""
    shortcode = _BY_NAMES.get(path.names[:2])
    rest = path.names[2:]
    if shortcode is None or (rest and not shortcode.deep):
        return None
    value = shortcode.read(subject)
    for name in rest:
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, object]", value).get(name)
    return _plain(value)


def _plain(value: object) -> object:
    """The value in the types that JSON has, and nothing that somebody else may change."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return value


# What there is ---------------------------------------------------------------------------------------------


def _full_name(subject: Subject) -> str | None:
    names = [name for name in (subject.user.first_name, subject.user.last_name) if name]
    return " ".join(names) or None


def _seconds(at: int | None) -> int | None:
    return None if at is None else at // 1000


def _of_organization(read: Callable[[ActiveOrganization], object]) -> Callable[[Subject], object]:
    return lambda subject: None if subject.organization is None else read(subject.organization)


def _emails(subject: Subject) -> tuple[str, ...]:
    return tuple(contact.value for contact in subject.user.email_addresses)


def _phones(subject: Subject) -> tuple[str, ...]:
    return tuple(contact.value for contact in subject.user.phone_numbers)


SHORTCODES: Mapping[str, Shortcode] = MappingProxyType(
    {
        "user.id": Shortcode("The user's id", lambda s: s.user.id),
        "user.external_id": Shortcode("The application's own id of the user", lambda s: s.user.external_id),
        "user.username": Shortcode("The user name", lambda s: s.user.username),
        "user.first_name": Shortcode("The first name", lambda s: s.user.first_name),
        "user.last_name": Shortcode("The last name", lambda s: s.user.last_name),
        "user.full_name": Shortcode("First and last name, as far as they are known", _full_name),
        "user.image_url": Shortcode("Always empty: sojourn holds no images", lambda _: ""),
        "user.has_image": Shortcode("Always false", lambda _: False),
        "user.primary_email_address": Shortcode(
            "The first e-mail address", lambda s: next(iter(_emails(s)), None)
        ),
        "user.primary_phone_number": Shortcode(
            "The first phone number", lambda s: next(iter(_phones(s)), None)
        ),
        "user.primary_web3_wallet": Shortcode("Always null: sojourn holds no wallets", lambda _: None),
        "user.email_verified": Shortcode(
            "Whether the first e-mail address is verified",
            lambda s: bool(s.user.email_addresses and s.user.email_addresses[0].verified),
        ),
        "user.phone_number_verified": Shortcode(
            "Whether the first phone number is verified",
            lambda s: bool(s.user.phone_numbers and s.user.phone_numbers[0].verified),
        ),
        "user.two_factor_enabled": Shortcode("Always false: sojourn holds no factors", lambda _: False),
        "user.created_at": Shortcode(
            "When the user was created, in seconds", lambda s: _seconds(s.user.created_at)
        ),
        "user.updated_at": Shortcode(
            "When the user was last changed, in seconds", lambda s: _seconds(s.user.updated_at)
        ),
        "user.last_sign_in_at": Shortcode(
            "When the user last signed in, in seconds", lambda s: _seconds(s.user.last_sign_in_at)
        ),
        "user.public_metadata": Shortcode("The public metadata", lambda s: s.user.public_metadata, deep=True),
        "user.unsafe_metadata": Shortcode(
            "The metadata that the user may write: trust none of it",
            lambda s: s.user.unsafe_metadata,
            deep=True,
        ),
        "user.organizations": Shortcode("The user's role in each organization, by its id", lambda s: s.roles),
        "org.id": Shortcode("The active organization's id", _of_organization(lambda a: a.organization.id)),
        "org.name": Shortcode("Its name", _of_organization(lambda a: a.organization.name)),
        "org.slug": Shortcode("Its slug", _of_organization(lambda a: a.organization.slug)),
        "org.role": Shortcode("The user's role in it", _of_organization(lambda a: a.membership.role)),
        "org.image_url": Shortcode("Always empty", _of_organization(lambda _: "")),
        "org.public_metadata": Shortcode(
            "Its public metadata", _of_organization(lambda a: a.organization.public_metadata), deep=True
        ),
        "org_membership.role": Shortcode(
            "The user's role in the active organization", _of_organization(lambda a: a.membership.role)
        ),
        "org_membership.permissions": Shortcode(
            "What the role may do there, without the permissions of the system", _of_organization(granted)
        ),
        "org_membership.public_metadata": Shortcode(
            "The public metadata of the membership",
            _of_organization(lambda a: a.membership.public_metadata),
            deep=True,
        ),
        "session.actor": Shortcode(
            "Who acts as the user",
            lambda s: None if s.session.actor is None else s.session.actor.to_wire(),
            deep=True,
        ),
        "session.reverification_id": Shortcode("Always null", lambda _: None),
    }
)
"""Every shortcode that stands for something. One that is not here, of a namespace that is, stands for null:
`user.private_metadata` for one, which no token may show."""

NAMESPACES = frozenset(name.partition(".")[0] for name in SHORTCODES)

_KEYS = {tuple(name.split(".")): name for name in SHORTCODES}
_BY_NAMES = {tuple(name.split(".")): shortcode for name, shortcode in SHORTCODES.items()}

# Possessive throughout: whatever the input, no character is looked at twice from one place.
_OPERAND = re.compile(
    r"""[ \t\r\n]*+
    (?: '(?P<text>[^']*+)'
      | (?P<number>-?+[0-9]{1,15}+(?:\.[0-9]{1,15}+)?+)
      | (?P<path>[A-Za-z_][A-Za-z0-9_]*+(?:\.[^\s.|{}']++)*+)
    )[ \t\r\n]*+
    (?P<end>\|\||\}\})""",
    re.VERBOSE,
)
