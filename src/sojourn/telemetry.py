"""Logs: one line an event, as JSON or as text, each with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO

from sojourn.service.context import request_id

_OWN = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
_LOGGERS = ("sojourn", "uvicorn", "uvicorn.error")


def configure(*, level: str, style: str, stream: IO[str] | None = None) -> None:
    """Send the logs of sojourn and its server to `stream` (standard error), in place of what was set up
    before.

    For the server process; the library itself leaves logging to the program that embeds it.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False


def _members(record: logging.LogRecord) -> dict[str, object]:
    members: dict[str, object] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    trace = request_id.get()
    if trace is not None:
        members["request_id"] = trace
    members.update((k, v) for k, v in record.__dict__.items() if k not in _OWN and k != "color_message")
    return members


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        members = _members(record)
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps(members, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        members = _members(record)
        line = " ".join(str(members.pop(name)) for name in ("time", "level", "logger", "message"))
        line += "".join(f" {name}={value}" for name, value in members.items())
        # One line an event: what came from outside must not be able to start another.
        line = line.translate(_ESCAPED)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
