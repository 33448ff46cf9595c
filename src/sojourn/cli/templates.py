"""templates: look at them, make, change and delete them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from cyclopts import App

from sojourn.cli.common import Target, moment, table
from sojourn.core.errors import Invalid
from sojourn.core.templates import (
    DEFAULT_CLOCK_SKEW_SECONDS,
    DEFAULT_LIFETIME_SECONDS,
    MAX_CLAIMS_BYTES,
    Template,
)
from sojourn.runtime import Sojourn
from sojourn.tokens.custom_keys import MAX_KEY_BYTES
from sojourn.tokens.encoding import decode_object

app = App(name="templates", help="Templates: named shapes of claims that tokens are made by.")


@app.command(name="list")
def list_templates(
    *,
    limit: int = 100,
    target: Target = Target(),  # noqa: B008  # cyclopts reads the default; the value is frozen
) -> None:
    """Show templates, newest first.

    Parameters
    ----------
    limit
        At most so many.
    target
        The database.
    """
    found = asyncio.run(_list(target, limit))
    rows = [
        (one.id, one.name, one.signing_algorithm, one.lifetime_seconds, moment(one.updated_at))
        for one in found
    ]
    text = table(("template", "name", "signed with", "lifetime", "changed"), rows)
    target.emit({"templates": [one.to_wire() for one in found]}, text if rows else "There is no template.")


@app.command
def show(id_or_name: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Show everything about a template but its key.

    Parameters
    ----------
    id_or_name
        The template.
    target
        The database.
    """
    facts = asyncio.run(_get(target, id_or_name)).to_wire()
    rows = [
        (
            name,
            moment(value)
            if isinstance(value, int) and name.endswith("_at")
            else json.dumps(value, ensure_ascii=False)
            if name == "claims"
            else value,
        )
        for name, value in facts.items()
    ]
    target.emit(facts, table(("fact", "value"), rows))


@app.command
def create(
    name: str,
    claims: str,
    /,
    *,
    lifetime: int = DEFAULT_LIFETIME_SECONDS,
    allowed_clock_skew: int = DEFAULT_CLOCK_SKEW_SECONDS,
    signing_algorithm: str | None = None,
    signing_key_file: Path | None = None,
    target: Target = Target(),  # noqa: B008
) -> None:
    """Make a template.

    Parameters
    ----------
    name
        How tokens are asked for by it.
    claims
        A JSON object, @FILE for one in a file, or @- for one on the standard input.
    lifetime
        Of its tokens, in seconds.
    allowed_clock_skew
        How long before their making they are good, in seconds.
    signing_algorithm
        What a key of its own is for: HS256, RS256, ES256, EdDSA …
    signing_key_file
        The file with that key: the secret as it is, or a private key as PEM. A secret on the command line
        would be in the history of the shell.
    target
        The database.
    """
    members = {
        "name": name,
        "claims": _claims(claims),
        "lifetime_seconds": lifetime,
        "allowed_clock_skew_seconds": allowed_clock_skew,
        **_key(signing_algorithm, signing_key_file),
    }
    _emit(target, asyncio.run(_create(target, members)))


@app.command
def update(
    id_or_name: str,
    /,
    *,
    name: str | None = None,
    claims: str | None = None,
    lifetime: int | None = None,
    allowed_clock_skew: int | None = None,
    signing_algorithm: str | None = None,
    signing_key_file: Path | None = None,
    custom_signing_key: bool | None = None,
    target: Target = Target(),  # noqa: B008
) -> None:
    """Change what is given of a template; claims are replaced as a whole.

    Parameters
    ----------
    id_or_name
        The template.
    name
        Another name.
    claims
        A JSON object, @FILE for one in a file, or @- for one on the standard input.
    lifetime
        Of its tokens, in seconds.
    allowed_clock_skew
        How long before their making they are good, in seconds.
    signing_algorithm
        What a key of its own is for.
    signing_key_file
        The file with that key.
    custom_signing_key
        --no-custom-signing-key goes back to the instance's key and destroys its own.
    target
        The database.
    """
    members = {
        "name": name,
        "claims": None if claims is None else _claims(claims),
        "lifetime_seconds": lifetime,
        "allowed_clock_skew_seconds": allowed_clock_skew,
        **_key(signing_algorithm, signing_key_file),
    }
    if custom_signing_key is not None:
        members["custom_signing_key"] = custom_signing_key
    _emit(target, asyncio.run(_update(target, id_or_name, members)))


@app.command
def delete(id_or_name: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Delete a template with its key; tokens that were made by it stay what they are.

    Parameters
    ----------
    id_or_name
        The template.
    target
        The database.
    """
    gone = asyncio.run(_delete(target, id_or_name))
    target.emit({"id": gone, "deleted": True}, f"{gone} is deleted.")


def _emit(target: Target, template: Template) -> None:
    if (size := template.over_budget) is not None:
        print(f"claims_over_budget: {size} bytes of claims endanger a cookie of 4 KB", file=sys.stderr)
    target.emit(template.to_wire(), template.id)


def _claims(given: str) -> Mapping[str, object]:
    """The claims in a text, a file or the standard input. Raises Invalid."""
    if given == "@-":
        text = sys.stdin.read(MAX_CLAIMS_BYTES * 2)
    else:
        text = _read("claims", Path(given[1:]), MAX_CLAIMS_BYTES * 2) if given.startswith("@") else given
    try:
        return decode_object(text.encode())
    except ValueError:
        raise Invalid("claims", "claims must be one JSON object.") from None


def _key(algorithm: str | None, file: Path | None) -> dict[str, object]:
    """The arguments for a key of the template's own."""
    if algorithm is None and file is None:
        return {}
    key = None if file is None else _read("signing_key_file", file, MAX_KEY_BYTES + 1)
    if key is not None and not key.startswith("-----BEGIN"):
        key = key.removesuffix("\n")  # the end of the line in the file is no part of a secret
    return {"custom_signing_key": True, "signing_algorithm": algorithm, "signing_key": key}


def _read(parameter: str, file: Path, limit: int) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return opened.read(limit)
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Invalid(parameter, f"The file {file} cannot be read: {words}.") from None


async def _list(target: Target, limit: int) -> Sequence[Template]:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.templates.list(limit=limit)


async def _get(target: Target, id_or_name: str) -> Template:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await _find(sojourn, id_or_name)


async def _create(target: Target, members: dict[str, object]) -> Template:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.templates.create(**cast("Any", members))


async def _update(target: Target, id_or_name: str, members: dict[str, object]) -> Template:
    async with Sojourn.open(config=target.settings()) as sojourn:
        found = await _find(sojourn, id_or_name)
        return await sojourn.templates.update(found.id, **cast("Any", members))


async def _delete(target: Target, id_or_name: str) -> str:
    async with Sojourn.open(config=target.settings()) as sojourn:
        found = await _find(sojourn, id_or_name)
        await sojourn.templates.delete(found.id)
        return found.id


async def _find(sojourn: Sojourn, id_or_name: str) -> Template:
    """By its id if it looks like one, else by its name. Raises NotFound."""
    by_id = id_or_name.startswith("jtmp_")
    return await (sojourn.templates.get(id_or_name) if by_id else sojourn.templates.named(id_or_name))
