"""Ending the sessions that a filter describes: a preview, then one step or a resumable run."""

from __future__ import annotations

from sojourn.http.own import views
from sojourn.http.own.filters import Filter, Note, filter_of
from sojourn.http.parameters import LIMIT
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.own import Ending, EndingList, EndingPreview
from sojourn.http.wire import Nothing, body_of


class BeginEnding(Filter):
    """A filter, why, and whether to look only. `all` is needed where the filter gives nothing."""

    reason: Note | None = None
    all: bool = False
    dry_run: bool = False


async def begin_ending(call: Call) -> object:
    """End the live sessions that fit; with `dry_run` count them and show a few, and end none."""
    body = body_of(call.body, BeginEnding)
    which = filter_of(body)
    if body.dry_run:
        preview = await call.sojourn.endings.preview(which)
        sample = [views.session(one) for one in preview.sample]
        return {"object": "ending_preview", "count": preview.count, "sample": sample}
    return views.ending(await call.sojourn.endings.begin(which, note=body.reason, everything=body.all))


async def list_endings(call: Call) -> object:
    """List endings, newest first."""
    endings = await call.sojourn.endings.list(limit=LIMIT.of(call.query()))
    return {"object": "ending_list", "data": [views.ending(one) for one in endings]}


async def get_ending(call: Call) -> object:
    """Get an ending, with its progress."""
    return views.ending(await call.sojourn.endings.get(call.id))


async def cancel_ending(call: Call) -> object:
    """Stop an ending that is running; what it has ended stays ended."""
    body_of(call.body, Nothing)
    return views.ending(await call.sojourn.endings.cancel(call.id))


OPERATIONS = (
    Operation(
        method="POST",
        path="/sojourn/v1/endings",
        name="BeginEnding",
        handler=begin_ending,
        body=BeginEnding,
        answer=(Ending, EndingPreview),
        errors={404: "There is no such user, client or signing key."},
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/endings",
        name="ListEndings",
        handler=list_endings,
        query=(LIMIT,),
        answer=EndingList,
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/endings/{ending_id}",
        name="GetEnding",
        handler=get_ending,
        answer=Ending,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/endings/{ending_id}/cancel",
        name="CancelEnding",
        handler=cancel_ending,
        body=Nothing,
        answer=Ending,
    ),
)
