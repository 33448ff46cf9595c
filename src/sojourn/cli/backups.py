"""backup and restore: a copy while the service runs, and a way back that resurrects nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import apsw
import msgspec

from sojourn.cli.common import Target
from sojourn.config import Config
from sojourn.core.errors import ConfigurationError
from sojourn.runtime import POSTGRES, Sojourn, sqlite_path


def backup(file: Path, /, *, target: Target = Target()) -> None:  # noqa: B008  # it is frozen
    """Copy the database into a file while the service goes on: all of one moment, secrets as they are stored.

    Parameters
    ----------
    file
        A file that does not exist yet. For PostgreSQL it takes pg_dump, of the server's version or newer.
    target
        The database.
    """
    chosen = target.settings()
    if file.exists():
        raise ConfigurationError(f"{file} exists already; a backup replaces nothing.")
    if chosen.database_url.startswith(POSTGRES):
        _run("pg_dump", chosen.database_url, "--format=custom", f"--file={file}")
    else:
        _copy(sqlite_path(chosen.database_url), file)
    target.emit({"file": str(file), "bytes": file.stat().st_size}, f"{file}: {file.stat().st_size:,} bytes.")


def restore(file: Path, /, *, target: Target = Target()) -> None:  # noqa: B008  # it is frozen
    """Make a database from a backup, with every session of it ended and a new epoch.

    What was revoked after the backup is not in it: so nobody stays signed in by it, and readers of events and
    of revocations begin again.

    Parameters
    ----------
    file
        What `sojourn backup` wrote.
    target
        Where to: a file that does not exist yet, or an empty PostgreSQL database. Nothing may serve it yet.
    """
    chosen = target.settings()
    if not file.exists():
        raise ConfigurationError(f"There is no {file}.")
    if chosen.database_url.startswith(POSTGRES):
        _run(
            "pg_restore",
            chosen.database_url,
            "--exit-on-error",
            "--single-transaction",
            "--no-owner",
            str(file),
        )
        asyncio.run(_adopt(chosen))
        epoch = asyncio.run(_begin_again(chosen))
    else:
        epoch = _restore_file(file, chosen)
    target.emit(
        {"restored": True, "epoch": epoch}, f"Restored. Every session of the backup has ended; epoch {epoch}."
    )


def _restore_file(file: Path, chosen: Config) -> str:
    """Under another name until nothing can come back to life in it."""
    path = sqlite_path(chosen.database_url)
    if path.exists():
        raise ConfigurationError(f"{path} exists already; a backup is restored beside it, not over it.")
    half = path.with_name(f"{path.name}.restoring")
    for left in (half, Path(f"{half}-wal"), Path(f"{half}-shm")):
        left.unlink(missing_ok=True)
    _copy(file, half)
    epoch = asyncio.run(_begin_again(msgspec.structs.replace(chosen, database_url=f"sqlite:///{half}")))
    half.rename(path)
    return epoch


async def _adopt(chosen: Config) -> None:
    # Late, so that a program on SQLite never loads it.
    from sojourn.stores.postgres import PostgresStore

    store = await PostgresStore.open(chosen.database_url, migrate=chosen.migrate)
    try:
        await store.adopt()
    finally:
        await store.close()


async def _begin_again(chosen: Config) -> str:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.begin_again()


def _copy(source: Path, copy: Path) -> None:
    """All of one moment, readable by its owner alone, and on the disk."""
    if not source.exists():
        raise ConfigurationError(f"There is no database {source}.")
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection: Any = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(5_000)
        connection.execute("VACUUM INTO ?", (str(copy),)).fetchall()
    except apsw.Error as error:
        copy.unlink(missing_ok=True)
        raise ConfigurationError(f"{source} cannot be copied: {error}") from None
    finally:
        connection.close()
    with copy.open("rb") as written:
        os.fsync(written.fileno())


def _run(program: str, url: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on a database. The password goes by the environment: others see
    arguments."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is not there; it comes with PostgreSQL's client programs.")
    parts = urlsplit(url)
    user, at, servers = parts.netloc.rpartition("@")
    bare = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{servers}"))
    password = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    done = subprocess.run(  # noqa: S603  # its own arguments
        [found, f"--dbname={bare}", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **password},
    )
    if done.returncode:
        raise ConfigurationError(f"{program}: {' '.join(done.stderr.split())[-500:]}")
