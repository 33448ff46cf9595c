"""Named bindings in the SQL files, numbered ones on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeAlias

from sojourn.stores.sql import queries

SQL = queries("postgres")
_NAMED = re.compile(r"(?<!:):([a-z_]+)\b")
Bindings: TypeAlias = Mapping[str, object] | Sequence[object]


@cache
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with `$1 …` instead of `:name …`, and the names in the order of the numbers."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _NAMED.sub(number, sql), tuple(names)


def prepared(sql: str, bindings: Bindings) -> tuple[str, Sequence[object]]:
    """The statement and its values in order. What is bound by name may be more than is asked for."""
    if not isinstance(bindings, Mapping):
        return sql, bindings
    text, names = numbered(sql)
    return text, [bindings[name] for name in names]
