"""policy: show and change it."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

from cyclopts import App, Parameter

from sojourn.cli.common import Target, emit, table
from sojourn.core.errors import Invalid
from sojourn.core.presets import PRESETS
from sojourn.http.own import views
from sojourn.runtime import Sojourn
from sojourn.service.policies import PolicyView

app = App(name="policy", help="The policy in force.")


@app.command
def show(*, target: Target = Target()) -> None:  # noqa: B008  # cyclopts reads the default; it is frozen
    """Show the policy in force, and which of it was changed at run time.

    Parameters
    ----------
    target
        The database.
    """
    _print(target, asyncio.run(_get(target)))


@app.command(name="set")
def change(*members: str, target: Target = Target()) -> None:  # noqa: B008
    """Change members of the policy: NAME=VALUE, for sessions and tokens made from now on.

    Parameters
    ----------
    members
        NAME=VALUE, the value a number, true, false, a word, or null for none.
    target
        The database.
    """
    changes: dict[str, object] = {}
    for member in members:
        name, separator, value = member.partition("=")
        if not separator:
            raise Invalid("policy", f"{member[:64]} is not NAME=VALUE.")
        changes[name] = _value(value)
    if not changes:
        raise Invalid("policy", "Give at least one NAME=VALUE.")
    _print(target, asyncio.run(_change(target, changes)))


@app.command
def presets(*, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """Show the presets that there are, with what they set and where that comes from.

    Parameters
    ----------
    as_json
        Print one JSON object.
    """
    shown = [
        {"name": one.name, "members": dict(one.members), "source": one.source, "beyond": one.beyond}
        for one in PRESETS.values()
    ]
    rows = [
        (one.name, ", ".join(f"{name}={value}" for name, value in one.members.items()), one.source)
        for one in PRESETS.values()
    ]
    emit({"presets": shown}, as_json=as_json, text=table(("preset", "sets", "source"), rows))


@app.command
def use(preset: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Set what a preset sets and nothing else, for sessions and tokens made from now on.

    Parameters
    ----------
    preset
        One of `sojourn policy presets`.
    target
        The database.
    """
    _print(target, asyncio.run(_use(target, preset)))


@app.command
def reset(*names: str, target: Target = Target()) -> None:  # noqa: B008
    """Take members of the policy back to what is configured; all of them where none is named.

    Parameters
    ----------
    names
        The members.
    target
        The database.
    """
    _print(target, asyncio.run(_reset(target, names)))


def _value(text: str) -> object:
    """A number, true, false or null as JSON has them; anything else is a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print(target: Target, view: PolicyView) -> None:
    shown = views.policy(view)
    rows = [
        (name, "none" if value is None else value, "changed" if name in view.changed else "")
        for name, value in shown.items()
        if name not in ("object", "changed")
    ]
    target.emit(shown, table(("member", "value", ""), rows))


async def _get(target: Target) -> PolicyView:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.policies.get()


async def _change(target: Target, changes: dict[str, object]) -> PolicyView:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.policies.change(changes)


async def _use(target: Target, preset: str) -> PolicyView:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.policies.use(preset)


async def _reset(target: Target, names: tuple[str, ...]) -> PolicyView:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.policies.reset(names or None)
