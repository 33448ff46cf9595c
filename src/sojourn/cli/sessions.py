"""sessions: look at them, explain them, end them."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Literal, cast

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sojourn.cli.common import Target, moment, table
from sojourn.core.errors import Invalid
from sojourn.core.session import Session, Status
from sojourn.http.own import views
from sojourn.runtime import Sojourn
from sojourn.service.filters import SessionFilter
from sojourn.service.history import Explanation

app = App(name="sessions", help="Look at sessions, explain them, end them.")
_PAGES = 1000
"""Pages of a search that a list goes through before it says that there may be more."""
Word = Literal["active", "pending", "ended", "removed", "revoked", "replaced", "expired", "abandoned"]


@app.command(name="list")
def list_sessions(
    *,
    user_id: str | None = None,
    client_id: str | None = None,
    organization_id: str | None = None,
    actor: str | None = None,
    application: str | None = None,
    address: list[str] | None = None,
    status: list[Word] | None = None,
    limit: int = 20,
    target: Target = Target(),  # noqa: B008  # cyclopts reads the default; the value is frozen
) -> None:
    """Show sessions, newest first.

    Parameters
    ----------
    user_id
        Of this user.
    client_id
        On this client.
    organization_id
        With this organization active.
    actor
        In which this actor acts as the user.
    application
        Created with this API key, or by the program of this name.
    address
        Last seen in this network (CIDR); may be given several times.
    status
        In this status now; may be given several times.
    limit
        At most so many.
    target
        The database.
    """
    which = SessionFilter(
        user_id=user_id,
        client_id=client_id,
        organization_id=organization_id,
        actor=actor,
        application=application,
        addresses=tuple(address or ()),
    )
    statuses = frozenset(map(Status, status)) if status else None
    found = asyncio.run(_list(target, which, statuses, limit))
    rows = [
        (s.id, s.user_id, s.status.value, moment(s.created_at), moment(s.last_active_at), moment(s.expire_at))
        for s in found
    ]
    target.emit(
        {"sessions": [views.session(one) for one in found]},
        table(("session", "user", "status", "created", "last active", "expires"), rows)
        if rows
        else "No session fits.",
    )


@app.command
def show(session_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Show everything about a session.

    Parameters
    ----------
    session_id
        The session.
    target
        The database.
    """
    session = asyncio.run(_get(target, session_id))
    facts = views.session(session)
    rows = [(name, _words(name, value)) for name, value in facts.items()]
    target.emit(facts, table(("fact", "value"), rows))


@app.command
def explain(session_id: str, /, *, target: Target = Target()) -> None:  # noqa: B008
    """Say why a session ended or will end, and show its history.

    Parameters
    ----------
    session_id
        The session.
    target
        The database.
    """
    explained = asyncio.run(_explain(target, session_id))
    session, following = explained.session, explained.next
    lines = [f"{session.id} is {session.status.value}."]
    if session.ending is not None:
        ending = session.ending
        lines.append(f"Ended {moment(ending.at)} by {ending.instigator.value}: {explained.rule}")
        if ending.note:
            lines.append(f"Reason given: {ending.note}")
    elif following is not None:
        moves = ", later with activity" if following.moves else ""
        lines.append(f"Ends {moment(following.at)} by {following.reason.value}{moves}.")
    events = [
        (moment(e.at), e.type.value, e.instigator and e.instigator.value, e.note) for e in explained.events
    ]
    lines += ["", table(("at", "event", "by", "reason given"), events)]
    target.emit(views.explanation(explained), "\n".join(lines))


@app.command
def revoke(
    session_id: str | None = None,
    /,
    *,
    user_id: str | None = None,
    client_id: str | None = None,
    application: str | None = None,
    signing_key: str | None = None,
    address: list[str] | None = None,
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    reason: str | None = None,
    target: Target = Target(),  # noqa: B008
) -> None:
    """End one session, or all live ones that fit.

    Parameters
    ----------
    session_id
        The one session.
    user_id
        All of this user.
    client_id
        All on this client.
    application
        All created with this API key, or by the program of this name.
    signing_key
        All that may have been given a token of the signing key with this kid.
    address
        All last seen in this network (CIDR); may be given several times.
    everything
        All of the instance.
    dry_run
        Count them only.
    reason
        Why; it stands in the history.
    target
        The database.
    """
    which = SessionFilter(
        user_id=user_id,
        client_id=client_id,
        application=application,
        signing_key=signing_key,
        addresses=tuple(address or ()),
    )
    if (session_id is not None) == bool(which.given() or everything):
        raise Invalid("session", "Name one session, or say which ones, or give --all.")
    if session_id is not None:
        ended = asyncio.run(_revoke(target, session_id, reason))
        target.emit(views.session(ended), f"{ended.id} is {ended.status.value}.")
    elif dry_run:
        count = asyncio.run(_preview(target, which))
        target.emit({"count": count}, f"{count} live sessions fit.")
    else:
        count = asyncio.run(_end(target, which, reason, everything=everything))
        target.emit({"ended": count}, f"{count} sessions ended.")


def _words(name: str, value: object) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return ", ".join(f"{n} {_words(n, v)}" for n, v in members if v is not None)
    if isinstance(value, int) and (name == "at" or name.endswith("_at")):
        return moment(value)
    return value


async def _list(
    target: Target, which: SessionFilter, statuses: frozenset[Status] | None, limit: int
) -> list[Session]:
    found: list[Session] = []
    cursor: str | None = None
    async with Sojourn.open(config=target.settings()) as sojourn:
        for _ in range(_PAGES):
            wanted = min(500, limit - len(found))
            page = await sojourn.sessions.search(which, statuses=statuses, limit=wanted, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None or len(found) >= limit:
                return found
    print("There may be more: the search was broken off.", file=sys.stderr)
    return found


async def _get(target: Target, session_id: str) -> Session:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.sessions.get(session_id)


async def _explain(target: Target, session_id: str) -> Explanation:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.history.explain(session_id)


async def _revoke(target: Target, session_id: str, reason: str | None) -> Session:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return await sojourn.sessions.revoke(session_id, note=reason)


async def _preview(target: Target, which: SessionFilter) -> int:
    async with Sojourn.open(config=target.settings()) as sojourn:
        return (await sojourn.endings.preview(which)).count


async def _end(target: Target, which: SessionFilter, reason: str | None, *, everything: bool) -> int:
    """End what fits, with a bar on a terminal; how many there were."""
    async with Sojourn.open(config=target.settings()) as sojourn:
        total = (await sojourn.endings.preview(which)).count
        begun = await sojourn.endings.begin(which, note=reason, everything=everything)
        if begun.state == "done":
            return total
        columns = (TextColumn("ending sessions"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("ending", total=total)
            work = asyncio.create_task(sojourn.endings.work_off())
            while not work.done():
                await asyncio.wait([work], timeout=0.2)
                progress.update(bar, completed=(await sojourn.endings.get(begun.id)).ended)
            await work
        return (await sojourn.endings.get(begun.id)).ended
