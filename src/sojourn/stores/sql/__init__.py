"""The SQL files: named queries and numbered migrations, one folder a dialect, read once from the package.

A query begins with a line `-- name: session_get` and goes on to the next such line. `{other}` inside one
stands for the text of the query or fragment called `other`, so that a condition is written down once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TypeAlias

from sojourn.core.errors import ConfigurationError, SchemaTooNew

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_INCLUDE = re.compile(r"\{([a-z_]+)\}")
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_MIGRATION = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `checksum` is the SHA-256 of the file in hexadecimal."""

    version: int
    name: str
    script: str
    checksum: str


Applied: TypeAlias = list[tuple[int, str, str]]
"""Version, file name and checksum of what a database has been through."""


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """All named queries of a dialect, with what they include filled in and without comments.

    Raises ValueError for a name that is used twice, KeyError for an include that does not exist.
    """
    raw: dict[str, str] = {}
    for entry in sorted(files(__name__).joinpath(dialect).iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".sql"):
            continue
        parts = _NAME.split(entry.read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in raw:
                raise ValueError(f"two queries are called {name}, one of them in {entry.name}")
            raw[name] = _COMMENT.sub("", text).strip()
    return MappingProxyType({name: _filled(text, raw) for name, text in raw.items()})


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """The migrations of a dialect in their order. Raises ValueError unless they are numbered 1, 2, 3 …"""
    found: list[Migration] = []
    for entry in sorted(files(__name__).joinpath(dialect, "migrations").iterdir(), key=lambda e: e.name):
        match = _MIGRATION.fullmatch(entry.name)
        if match is None:
            continue
        raw = entry.read_bytes()
        checksum = hashlib.sha256(raw).hexdigest()
        found.append(Migration(int(match[1]), entry.name, raw.decode("utf-8"), checksum))
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the {dialect} migrations are not numbered without gaps")
    return tuple(found)


def check_applied(applied: Applied, known: tuple[Migration, ...]) -> None:
    """Raises SchemaTooNew for a database of a newer version, ConfigurationError for one that another
    migration made."""
    if applied and applied[-1][0] > len(known):
        raise SchemaTooNew(
            f"The database is at schema {applied[-1][0]}; this version of sojourn knows up to {len(known)}."
        )
    for (version, name, checksum), migration in zip(applied, known, strict=False):
        if (version, checksum) != (migration.version, migration.checksum):
            raise ConfigurationError(
                f"The migration {migration.name} is not the one that this database was made with ({name})."
            )


def _filled(text: str, raw: Mapping[str, str]) -> str:
    while _INCLUDE.search(text):
        text = _INCLUDE.sub(lambda match: raw[match[1]], text)
    return text
