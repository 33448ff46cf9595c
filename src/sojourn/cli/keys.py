"""keys: API keys, signing keys and the encryption of what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from sojourn.cli.common import emit, settings
from sojourn.config import Config
from sojourn.core.errors import ConfigurationError, LastSecretKey
from sojourn.core.keys import ApiKey, ApiKeyKind, SigningKeyStatus
from sojourn.runtime import Sojourn
from sojourn.tokens.envelope import MasterKey

app = App(name="keys", help="API keys, signing keys, and the encryption of what is stored.")
Json = Annotated[bool, Parameter(name="--json", negative=())]


@app.command(name="list")
def list_keys(*, database_url: str | None = None, config: Path | None = None, as_json: Json = False) -> None:
    """Show the API keys, whose texts are not kept, only how they begin, and the signing keys.

    Parameters
    ----------
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    keys, signing = asyncio.run(_list(settings(config, database_url=database_url, sweep=False)))
    rows = [_api_key(key) for key in keys]
    text = [
        f"{row['id']}  {row['kind']:8}  {row['hint']}…{_when('  revoked', row['revoked_at'])}" for row in rows
    ]
    text += [
        f"{key.kid}  {key.state:8}  "
        f"signs from {_time(key.activates_at)}{_when(', published until', key.published_until)}"
        for key in signing
    ]
    signing_rows = [asdict(key) for key in signing]
    emit({"keys": rows, "signing_keys": signing_rows}, as_json=as_json, text="\n".join(text))


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
def revoke(
    key_id: str,
    *,
    force: bool = False,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Json = False,
) -> None:
    """Refuse an API key from now on; running servers do so within a second.

    Parameters
    ----------
    key_id
        The id of the key, from `keys list`.
    force
        Also the last secret key, without which nobody can call the Backend API.
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    chosen = settings(config, database_url=database_url, sweep=False)
    try:
        key = asyncio.run(_revoke(chosen, key_id, force=force))
    except LastSecretKey as error:
        raise ConfigurationError(f"{error.detail} Use --force to revoke it all the same.") from None
    emit(_api_key(key), as_json=as_json, text=f"{key.id} ({key.hint}…) is revoked.")


@app.command
def rotate(
    *,
    publish_seconds: int | None = None,
    emergency: bool = False,
    database_url: str | None = None,
    config: Path | None = None,
    as_json: Json = False,
) -> None:
    """Make a new signing key. Verifiers learn of it at once, and it signs after a while.

    The old key stays published until the last token that it signed has run out: no token is refused.

    Parameters
    ----------
    publish_seconds
        How long it is published before it signs; the setting by default, 10 minutes.
    emergency
        The new key signs at once, and tokens of all others are refused at once. Sessions live on.
    database_url
        The database; the setting by default.
    config
        A TOML file with settings.
    as_json
        Print one JSON object.
    """
    chosen = settings(config, database_url=database_url, sweep=False)
    key = asyncio.run(_rotate(chosen, publish_seconds, emergency=emergency))
    text = (
        f"{key.kid} signs now. Tokens of all other keys are refused."
        if emergency
        else f"{key.kid} is published and signs from {_time(key.activates_at)}."
    )
    emit(asdict(key), as_json=as_json, text=text)


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


def _api_key(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "kind": key.kind.value,
        "hint": key.hint,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def _when(word: str, at_ms: object) -> str:
    return f"{word} {_time(at_ms)}" if isinstance(at_ms, int) else ""


async def _list(chosen: Config) -> tuple[Sequence[ApiKey], Sequence[SigningKeyStatus]]:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.api_keys.list(), await sojourn.keys.list()


async def _revoke(chosen: Config, key_id: str, *, force: bool) -> ApiKey:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.api_keys.revoke(key_id, force=force)


async def _rotate(chosen: Config, publish_seconds: int | None, *, emergency: bool) -> SigningKeyStatus:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.keys.rotate(publish_seconds=publish_seconds, emergency=emergency)


async def _create(chosen: Config, kind: ApiKeyKind) -> str:
    async with Sojourn.open(config=chosen) as sojourn:
        return await sojourn.api_keys.create(kind)


async def _rekey(chosen: Config, new: MasterKey | None) -> None:
    async with Sojourn.open(config=chosen) as sojourn:
        await sojourn.rekey(new)
