"""What a verifier asks of others: whether a token was revoked, and, as a front, who is asking."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sojourn.verify.outcomes import Outcome, SignedIn
    from sojourn.verify.reasons import Reason
    from sojourn.verify.request import Request


class FeedState(StrEnum):
    """How much a revocation set knows."""

    SYNCING = "syncing"
    """It has not yet heard all that was revoked before it started, or after a gap."""
    FRESH = "fresh"
    """It has heard from the service within the bound."""
    STALE = "stale"
    """The service has been silent for longer than the bound."""


class RevocationSet(Protocol):
    """Which tokens are refused although their signature and claims hold.

    Both methods are asked for every token, remembered or new, from any thread: they neither wait nor raise.
    """

    def refuses(self, auth: SignedIn) -> Reason | None:
        """SESSION_REVOKED (or JWK_KID_MISMATCH for a withdrawn key) refuses the token. TOKEN_STALE accepts
        who it is and refuses what it says of role, permissions and organization. REVOCATIONS_UNKNOWN: the set
        does not reach back to when the token was issued. None: nothing is known against it."""
        ...

    def state(self, now_ms: int) -> FeedState:
        """Where the set stands at `now_ms`, milliseconds of the monotonic clock."""
        ...


class Authenticator(Protocol):
    """Who can tell who is asking: a `Verifier`, or a service in the same process.

    The fronts in `sojourn.integrations` take any.
    """

    def remembered(self, text: str) -> SignedIn | None:
        """The outcome for a token that was seen before and that nothing is known against now, without
        waiting; None to have the request looked at."""
        ...

    def remembered_cookies(self, header: str) -> SignedIn | None:
        """The same for the Cookie header of a request that has no Authorization header, asks for nothing by
        its query and is no page reached from another one."""
        ...

    def authenticate(self, request: Request) -> Outcome:
        """The outcome for a request; may wait for keys or the service."""
        ...

    async def authenticate_async(self, request: Request) -> Outcome:
        """The same without blocking the event loop."""
        ...
