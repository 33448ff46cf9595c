"""Where an address is: cities and countries from a database in MaxMind's format, if there is one."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from sojourn.core.errors import ConfigurationError
from sojourn.service.ports import NOWHERE, Place

_LOOK_AGAIN_SECONDS = 60.0
"""A database is replaced every week or so; how often to look whether it was."""


class _Reader(Protocol):
    def get(self, ip_address: Any) -> Any: ...

    def close(self) -> None: ...


class CityDatabase:
    """Implements `Places` on a `.mmdb` file. A file that is replaced is noticed within a minute; one that
    cannot be read any more leaves the last good one in use."""

    def __init__(self, path: str) -> None:
        """Raises ConfigurationError where there is no such file, it is no such database, or the library to
        read it is not installed."""
        self._path = path
        self._looked = time.monotonic()
        self._reader: _Reader
        self._stamp: tuple[int, int, int]
        try:
            self._reader, self._stamp = _open(path), _stamp(path)
        except ModuleNotFoundError:
            raise ConfigurationError("city_database needs the package maxminddb.") from None
        except Exception as error:
            raise ConfigurationError(f"city_database cannot be read: {error}") from None

    def place(self, address: str) -> Place:
        """As the port says. Reads memory that is mapped from the file: microseconds, no wait."""
        self._renew()
        try:
            found: object = self._reader.get(ipaddress.ip_address(address))
        except ValueError:
            return NOWHERE
        return Place(city=_text(found, "city", "names", "en"), country=_text(found, "country", "iso_code"))

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _renew(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_AGAIN_SECONDS:
            return
        self._looked = now
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            reader = _open(self._path)
        except Exception:
            # Half written, or taken away for a moment: looked at again in a minute.
            return
        self._reader.close()
        self._reader, self._stamp = reader, stamp


def _open(path: str) -> _Reader:
    import maxminddb

    opener = cast("Callable[[str], _Reader]", maxminddb.open_database)
    return opener(path)


def _stamp(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _text(record: object, *names: str) -> str | None:
    for name in names:
        if not isinstance(record, dict):
            return None
        record = cast("dict[str, object]", record).get(name)
    return record if isinstance(record, str) and record else None
