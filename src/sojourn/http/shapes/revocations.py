"""The revocation feed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from sojourn.core.revocations import RevocationKind
from sojourn.http.shapes.common import Instant, Shape
from sojourn.http.shapes.own import Reach, SessionFacts

Clock = Annotated[int, Meta(description="Milliseconds of the server's monotonic clock.")]
Place = Annotated[int, Meta(description="A place in the log, without its epoch.")]


class Revocation(Shape):
    """What verifiers have to refuse from now on."""

    kind: RevocationKind
    at: Instant
    session_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    organization_id: str | UnsetType = UNSET
    kid: str | UnsetType = UNSET
    spared: str | UnsetType = UNSET
    session_ids: list[str] | UnsetType = UNSET


class RevocationBatch(Shape, rename={"start": "from"}):
    """Everything between two places. A reader that stands before `from` has missed something."""

    start: Place
    position: Place
    entries: list[Revocation]


class RevocationHeartbeat(Shape, rename={"start": "from"}):
    """Whoever stands between `from` and `position` knows everything that was committed before `clock`."""

    start: Place
    position: Place
    clock: Clock
    at: Instant
    horizon_ms: int
    acknowledge: bool


class RevocationHello(Shape):
    """How a stream begins. Where it has not resumed, it begins with everything that still matters."""

    epoch: str
    position: Place
    resumed: bool
    subscription: str
    clock: Clock
    horizon_ms: int
    heartbeat_ms: int
    withdrawn_kids: list[str]


class RevocationPage(Shape):
    """A piece of the feed; without a heartbeat there is more to read at once."""

    object: Literal["revocation_page"]
    hello: RevocationHello
    batches: list[RevocationBatch]
    heartbeat: RevocationHeartbeat | None


class RevokedSession(SessionFacts, kw_only=True):
    """A session that has ended, and whether that was waited for."""

    reach: Reach | None


class Acknowledged(Shape):
    """The acknowledgement has been taken."""

    object: Literal["acknowledgement"]
    subscription: str
