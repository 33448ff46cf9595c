"""keys: API keys and the encryption of what is stored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from sojourn.cli.common import emit, settings
from sojourn.config import Config
from sojourn.core.errors import ConfigurationError
from sojourn.core.keys import ApiKey, ApiKeyKind
from sojourn.runtime import Sojourn
from sojourn.tokens.envelope import MasterKey

app = App(name="keys", help="API keys, and the encryption of stored keys.")
Json = Annotated[bool, Parameter(name="--json", negative=())]


@app.command(name="list")
def list_keys(*, database_url: str | None = None, config: Path | None = None, as_json: Json = False) -> None:
    """Show the API keys; their texts are not kept, only how they begin.

    Parameters
    ----------
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    keys = asyncio.run(_list(settings(config, database_url=database_url, sweep=False)))
    rows = [
        {
            "id": k.id,
            "kind": k.kind.value,
            "hint": k.hint,
            "created_at": k.created_at,
            "revoked_at": k.revoked_at,
        }
        for k in keys
    ]
    text = "\n".join(f"{r['id']}  {r['kind']:8}  {r['hint']}…" for r in rows)
    emit({"keys": rows}, as_json=as_json, text=text)


@app.command
def create(
    kind: Literal["secret", "verifier"] = "secret",
    *,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Json = False,
) -> None:
    """Make an API key and print it, this once.

    Parameters
    ----------
    kind
        secret may do everything, verifier only reads what a verifier needs.
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    key = asyncio.run(_create(settings(config, database_url=database_url, sweep=False), ApiKeyKind(kind)))
    emit({"kind": kind, "key": key}, as_json=as_json, text=key)


@app.command
def rekey(
    *,
    new_master_key_file: Path | None = None,
    plain: bool = False,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Json = False,
) -> None:
    """Put all stored keys under another master key, in one step.

    Stop the servers first: they start again with the new key in SOJOURN_MASTER_KEY.

    Parameters
    ----------
    new_master_key_file
        A file with 32 bytes in base64; on the command line others could read the key itself.
    plain
        Store the keys in the clear instead.
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    if (new_master_key_file is None) is not plain:
        raise ConfigurationError("Give either --new-master-key-file or --plain.")
    chosen = settings(config, database_url=database_url, sweep=False)
    new = None if new_master_key_file is None else _read_master_key(new_master_key_file)
    asyncio.run(_rekey(chosen, new))
    emit(
        {"master_key_id": new.id if new else None},
        as_json=as_json,
        text=f"All stored keys are sealed with {new.id}." if new else "All stored keys lie in the clear.",
    )


def _read_master_key(path: Path) -> MasterKey:
    try:
        return MasterKey.parse(path.read_text("ascii"))
    except OSError as error:
        raise ConfigurationError(f"The master key file {path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigurationError(f"The master key file {path} holds no base64 of 32 bytes.") from None


async def _list(chosen: Config) -> list[ApiKey]:
    async with Sojourn.open(config=chosen) as sojourn:
        return list(await sojourn.api_keys.list())


async def _create(chosen: Config, kind: ApiKeyKind) -> str:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.api_keys.create(kind)


async def _rekey(chosen: Config, new: MasterKey | None) -> None:
    async with Sojourn.open(config=chosen) as sojourn:
        await sojourn.rekey(new)
