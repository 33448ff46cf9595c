"""What the commands share: settings from the command line over those from file and environment, and
output."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from sojourn import config as configuration
from sojourn.config import Config


def settings(config: Path | None, **given: object) -> Config:
    """The settings; what was given on the command line wins."""
    loaded = msgspec.structs.asdict(configuration.load(config))
    return configuration.convert(loaded | {k: v for k, v in given.items() if v is not None})


def emit(values: dict[str, object], *, as_json: bool, text: str) -> None:
    """Print a result: with --json one object on one line, else a text for people."""
    print(json.dumps(values) if as_json else text)
