"""Parameters of the query, each declared once: handlers read through the declaration, the OpenAPI document
shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sojourn.core.errors import Invalid
from sojourn.service.context import PAGE_LIMIT

Query = dict[str, list[str]]
"""What `Call.query` gives: each name with all its values, in order."""

_T_co = TypeVar("_T_co", covariant=True)
_DIGITS = 19
"""Hold every number that a store can count to."""


@dataclass(frozen=True, slots=True)
class Parameter(ABC, Generic[_T_co]):
    """A parameter of the query: `name` on the wire, and `meaning` for people, one sentence."""

    name: str
    meaning: str

    @abstractmethod
    def of(self, query: Query) -> _T_co:
        """The value in this query. Raises Invalid naming the parameter."""

    @abstractmethod
    def schema(self) -> dict[str, object]:
        """What `of` accepts, as JSON Schema."""

    def one(self, query: Query) -> str | None:
        """The text, None when it is absent. Raises Invalid when it is given more than once."""
        values = query.get(self.name)
        if values is None:
            return None
        if len(values) > 1:
            raise Invalid(self.name, f"{self.name} may be given once.")
        return values[0]


@dataclass(frozen=True, slots=True)
class Integer(Parameter[int]):
    """A whole number, `least` or more and at most `most`."""

    default: int
    least: int
    most: int = 2**63 - 1

    def of(self, query: Query) -> int:
        """The number, or the default."""
        text = self.one(query)
        if text is None:
            return self.default
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
            number = int(text)
            if self.least <= number <= self.most:
                return number
        bounded = self.most < 2**63 - 1
        bounds = f" from {self.least} to {self.most}" if bounded else f", {self.least} or more"
        raise Invalid(self.name, f"{self.name} must be a whole number{bounds}.")

    def schema(self) -> dict[str, object]:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}


@dataclass(frozen=True, slots=True)
class Instant(Parameter[int | None]):
    """Unix ms."""

    def of(self, query: Query) -> int | None:
        """The instant, None when it is absent."""
        number = Integer(self.name, self.meaning, default=-1, least=0, most=2**53).of(query)
        return None if number < 0 else number

    def schema(self) -> dict[str, object]:
        """An integer."""
        return {"type": "integer", "minimum": 0, "maximum": 2**53}


@dataclass(frozen=True, slots=True)
class Boolean(Parameter[bool]):
    """`true` or `false`; false when absent."""

    def of(self, query: Query) -> bool:
        """The truth value."""
        text = self.one(query)
        if text not in (None, "true", "false"):
            raise Invalid(self.name, f"{self.name} must be true or false.")
        return text == "true"

    def schema(self) -> dict[str, object]:
        """A boolean."""
        return {"type": "boolean", "default": False}


@dataclass(frozen=True, slots=True)
class Text(Parameter[str | None]):
    """A text that is not empty; with `words`, one of them."""

    words: Sequence[str] = ()

    def of(self, query: Query) -> str | None:
        """The text, None when it is absent."""
        text = self.one(query)
        if text == "":
            raise Invalid(self.name, f"{self.name} must not be empty.")
        if text is not None and self.words and text not in self.words:
            raise self.refused()
        return text

    def refused(self, words: Sequence[str] | None = None) -> Invalid:
        """The error for a text that is none of the words, or of those that this request may use."""
        return Invalid(self.name, f"{self.name} must be one of {', '.join(words or self.words)}.")

    def schema(self) -> dict[str, object]:
        """A string."""
        return (
            {"type": "string", "enum": list(self.words)} if self.words else {"type": "string", "minLength": 1}
        )


@dataclass(frozen=True, slots=True)
class Texts(Parameter[list[str]]):
    """Texts, each one given with the name again; `most` at the most."""

    most: int = 100
    words: Sequence[str] = ()

    def of(self, query: Query) -> list[str]:
        """The texts in their order, none when the parameter is absent."""
        values = query.get(self.name, [])
        if len(values) > self.most:
            raise Invalid(self.name, f"{self.name} may be given {self.most} times.")
        if self.words and not set(values) <= set(self.words):
            raise Invalid(self.name, f"{self.name} must be one of {', '.join(self.words)}.")
        return values

    def schema(self) -> dict[str, object]:
        """An array, each item a parameter of its own."""
        item = {"type": "string", "enum": list(self.words)} if self.words else {"type": "string"}
        return {"type": "array", "items": item, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Signed(Parameter[tuple[tuple[str, ...] | None, tuple[str, ...]]]):
    """Values to include and, with a minus before them, to exclude; `most` at the most."""

    most: int = 100

    def of(self, query: Query) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        """Those to include, None where there is none, and those to exclude."""
        values = query.get(self.name, [])
        if len(values) > self.most:
            raise Invalid(self.name, f"{self.name} may be given {self.most} times.")
        excluded = tuple(value[1:] for value in values if value.startswith("-"))
        # A plus sign in a query string that was not encoded arrives as a space.
        included = tuple(value[value[:1] in ("+", " ") :] for value in values if not value.startswith("-"))
        return included or None, excluded

    def schema(self) -> dict[str, object]:
        """An array, each item a parameter of its own."""
        item = {"type": "string", "pattern": "^[+-]?."}
        return {"type": "array", "items": item, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Order(Parameter[tuple[str, bool]]):
    """One of `words`, upwards, or with a minus before it downwards."""

    words: Sequence[str]
    default: str

    def of(self, query: Query) -> tuple[str, bool]:
        """The word, and whether it goes downwards."""
        given = self.one(query) or self.default
        # A plus sign in a query string that was not encoded arrives as a space.
        word = given[given[0] in "+- " :]
        if word not in self.words:
            raise Invalid(self.name, f"{self.name} must be one of {', '.join(self.words)}, signed + or -.")
        return word, given[0] == "-"

    def schema(self) -> dict[str, object]:
        """Every word with every sign."""
        signed = [sign + word for word in self.words for sign in ("", "+", "-")]
        return {"type": "string", "enum": signed, "default": self.default}


def only(query: Query, *known: Parameter[object]) -> None:
    """Refuse parameters that the operation does not have: to leave a filter out silently would answer with
    what was not asked for. Raises Invalid naming one."""
    names = {parameter.name for parameter in known} | {"__clerk_api_version"}
    for name in query:
        if name not in names:
            raise Invalid(name[:64], f"{name[:64]} is not a parameter that this version of sojourn has.")


LIMIT = Integer("limit", "How many to answer with at most.", default=10, least=1, most=PAGE_LIMIT)
OFFSET = Integer("offset", "How many to leave out first.", default=0, least=0)
ALWAYS_PAGINATED = Boolean("paginated", "Without effect: the answer is always a page.")
PAGINATED = Boolean("paginated", "Answer with a page and the number of all matches, not with a bare array.")
