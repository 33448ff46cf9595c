"""migrate and sweep: what the server does by itself, by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sojourn.cli.common import emit, settings
from sojourn.config import Config
from sojourn.runtime import Sojourn, open_store


def migrate(
    *,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Bring a database up to date.

    Parameters
    ----------
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    chosen = settings(config, database_url=database_url, migrate=True)
    asyncio.run(_migrate(chosen))
    emit({"migrated": True}, as_json=as_json, text="The database is up to date.")


def sweep(
    *,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Write ended sessions back, announce them, and delete what is older than the policy keeps it.

    Parameters
    ----------
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    chosen = settings(config, database_url=database_url, sweep=False)
    swept, purged = asyncio.run(_sweep(chosen))
    emit(
        {"swept": swept, "purged": purged},
        as_json=as_json,
        text=f"{swept} sessions written back, {purged} rows deleted.",
    )


async def _migrate(chosen: Config) -> None:
    store = await open_store(chosen)
    await store.close()


async def _sweep(chosen: Config) -> tuple[int, int]:
    async with Sojourn.open(config=chosen) as sojourn:
        done = await sojourn.sweeper.sweep(), await sojourn.sweeper.purge()
        await sojourn.sweeper.settle_keys()
        return done
