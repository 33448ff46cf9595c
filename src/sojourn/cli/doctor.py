"""doctor: look at configuration, clock, database, durability, sizes and keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

import msgspec

from sojourn.cli.common import Target, table
from sojourn.config import Config, blind
from sojourn.core.errors import ConfigurationError, SojournError
from sojourn.runtime import Sojourn, open_store
from sojourn.service.doctor import Finding


def doctor(*, target: Target = Target()) -> None:  # noqa: B008  # cyclopts reads the default; it is frozen
    """Look at configuration, clock, database, durability, sizes and keys, and change nothing.

    Exits with 1 where something is wrong; a warning alone leaves 0.

    Parameters
    ----------
    target
        The database.
    """
    findings = asyncio.run(_examine(target))
    broken = any(finding.level == "error" for finding in findings)
    rows = [(f.level, f.name, f.value, f.advice) for f in findings]
    target.emit(
        {"ok": not broken, "findings": [asdict(finding) for finding in findings]},
        table(("", "what", "found", "what to do"), rows),
    )
    if broken:
        sys.exit(1)


async def _examine(target: Target) -> Sequence[Finding]:
    try:
        chosen = target.settings()
    except SojournError as error:
        return [
            Finding(name="configuration", level="error", value=error.detail, advice="Correct the setting.")
        ]
    found = [Finding(name="configuration", level="ok", value=blind(chosen.database_url))]
    try:
        # It must not migrate or make what is not there: a doctor only looks.
        async with Sojourn.open(config=await _looking(chosen)) as sojourn:
            return [*found, *await sojourn.doctor.examine()]
    except SojournError as error:
        return [
            *found,
            Finding(name="database", level="error", value=error.detail, advice=_ADVICE.get(error.code)),
        ]


async def _looking(chosen: Config) -> Config:
    """Settings with which opening changes nothing: no migration, no key added, none encrypted."""
    chosen = msgspec.structs.replace(chosen, migrate=False, secret_key=())
    store = await open_store(chosen)
    try:
        instance = await store.instance()
    finally:
        await store.close()
    if instance is None:
        raise ConfigurationError("The database holds no instance yet: the first start makes one.")
    return chosen if instance.master_key_id else msgspec.structs.replace(chosen, master_key=None)


_ADVICE = {
    "schema_outdated": "Run `sojourn migrate`, or start the server with migrate = true.",
    "schema_too_new": "Install the version of sojourn that wrote it, or a newer one.",
    "master_key_refused": "Set SOJOURN_MASTER_KEY to the key that sealed the stored keys.",
    "storage_full": "Make room on the disk.",
    "storage_failed": "Look at the disk and the system's log.",
}
