"""What the commands share: which database, settings from the command line over those from file and
environment, and output for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from sojourn import config as configuration
from sojourn.config import Config


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The database that a command works on.

    Parameters
    ----------
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """

    database_url: str | None = None
    config: Path | None = None
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False

    def settings(self) -> Config:
        """The settings, with nothing going on in the background."""
        return settings(self.config, database_url=self.database_url, sweep=False)

    def emit(self, values: dict[str, object], text: str) -> None:
        """Print a result in the form asked for."""
        emit(values, as_json=self.as_json, text=text)


def settings(config: Path | None, **given: object) -> Config:
    """The settings; what was given on the command line wins."""
    loaded = msgspec.structs.asdict(configuration.load(config))
    return configuration.convert(loaded | {k: v for k, v in given.items() if v is not None})


def emit(values: dict[str, object], *, as_json: bool, text: str) -> None:
    """Print a result: with --json one object on one line, else a text for people."""
    print(json.dumps(values) if as_json else text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as a table for people: cut to the width of a terminal, whole where there is none."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*("" if value is None else str(value) for value in row))
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n"))


def moment(at: int | None) -> str:
    """An instant (Unix ms) as people read it, in UTC."""
    if at is None:
        return "never"
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
