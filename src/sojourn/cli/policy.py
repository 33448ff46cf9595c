"""policy: show and change it."""

from __future__ import annotations

import asyncio
import json

from cyclopts import App

from sojourn.cli.common import Target, table
from sojourn.core.errors import Invalid
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


async def _reset(target: Target, names: tuple[str, ...]) -> PolicyView:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.policies.reset(names or None)
