"""What a verifier knows of revocations: a state machine that is fed messages and asked about tokens.

Nothing in here reads a clock or a socket. Every instant is given: `now_ms` and `asked_ms` are milliseconds of
the verifier's own monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from sojourn.core.revocations import Revocation, RevocationKind, not_before_seconds
from sojourn.verify.outcomes import SignedIn
from sojourn.verify.ports import FeedState
from sojourn.verify.reasons import Reason

BOUND_MS = 2000
"""How long a verifier accepts tokens without a word of the feed (RELIABILITY 5.1)."""

_Key = TypeVar("_Key")


class OutOfStep(Exception):
    """The feed does not go on from where this verifier stands: something is missing, or it has gone back.
    What is known stays, nothing is accepted, and the feed has to be begun anew."""


class Hello(msgspec.Struct, frozen=True):
    """How a stream begins. `clock` is the server's monotonic clock (ms) when it was asked for."""

    epoch: str
    position: int
    resumed: bool
    subscription: str
    clock: int
    horizon_ms: int
    withdrawn_kids: tuple[str, ...] = ()


class Batch(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """All revocations between two places of the log."""

    start: int
    position: int
    entries: tuple[Revocation, ...]


class Heartbeat(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """Whoever stands between `start` and `position` knows all that was committed before `clock`."""

    start: int
    position: int
    clock: int
    at: int
    horizon_ms: int
    acknowledge: bool = False


class Revocations:
    """Implements `sojourn.verify.ports.RevocationSet`.

    SYNCING until a feed that was begun anew has told everything, FRESH while its last heartbeat is younger
    than the bound, STALE after that. How old a heartbeat is, is counted from when the feed was asked for, on
    two monotonic clocks that run alike, never from when it arrived: one that a proxy has held back is old.

    One thread feeds it, any number may ask. It holds what was revoked within the horizon, and nothing of live
    sessions.
    """

    def __init__(self, *, bound_ms: int = BOUND_MS) -> None:
        if bound_ms <= 0:
            raise ValueError("the bound is positive milliseconds")
        self.bound_ms = bound_ms
        self._epoch: str | None = None
        self._position = 0
        self._synced = False
        self._asked_ms = self._hello_clock = self._clock = 0
        self._fresh_until = 0
        self._server_at = self._horizon_ms = 0
        self._sessions: dict[str, int] = {}
        self._users: dict[str, _NotBefore] = {}
        self._everybody: dict[None, _NotBefore] = {}
        self._kids: set[str] = set()
        self._stale_sessions: dict[str, int] = {}
        self._stale_members: dict[tuple[str | None, str | None], int] = {}

    def __len__(self) -> int:
        """How many entries are held."""
        tables = (self._sessions, self._users, self._everybody, self._stale_sessions, self._stale_members)
        return sum(map(len, tables)) + len(self._kids)

    @property
    def resume_from(self) -> str | None:
        """The id to go on from, None where the feed has to begin anew."""
        return f"{self._epoch}.{self._position}" if self._synced else None

    @property
    def place(self) -> int:
        """Where in the log this verifier stands."""
        return self._position

    # Asking -------------------------------------------------------------------------------------------------

    def refuses(self, auth: SignedIn) -> Reason | None:
        """As the port says; REVOCATIONS_UNKNOWN for a token older than what the feed still speaks of."""
        reason = self.ended(auth)
        if reason is not None:
            return reason
        if self._horizon_ms and self._server_at - auth.issued_at * 1000 > self._horizon_ms:
            return Reason.REVOCATIONS_UNKNOWN
        return Reason.TOKEN_STALE if self.stale(auth) else None

    def ended(self, auth: SignedIn) -> Reason | None:
        """Why a token is refused altogether, None when nothing is known against it."""
        if auth.session_id in self._sessions:
            return Reason.SESSION_REVOKED
        if auth.kid in self._kids:
            return Reason.JWK_KID_MISMATCH
        of_user, of_all = self._users.get(auth.user_id), self._everybody.get(None)
        if of_user is not None and of_user.covers(auth):
            return Reason.SESSION_REVOKED
        if of_all is not None and of_all.covers(auth):
            return Reason.SESSION_REVOKED
        return None

    def stale(self, auth: SignedIn) -> bool:
        """Whether what a token says of the organization may be true no more."""
        changed_at = self._stale_sessions.get(auth.session_id or "", -1) if self._stale_sessions else -1
        if auth.issued_at <= not_before_seconds(changed_at):
            return True
        if not self._stale_members or (where := auth.organization_id) is None:
            return False
        latest = max(
            self._stale_members.get((where, auth.user_id), -1), self._stale_members.get((where, None), -1)
        )
        return auth.issued_at <= not_before_seconds(latest)

    def state(self, now_ms: int) -> FeedState:
        """As the port says."""
        if not self._synced:
            return FeedState.SYNCING
        return FeedState.FRESH if now_ms < self._fresh_until else FeedState.STALE

    # Being fed ----------------------------------------------------------------------------------------------

    def begin(self, hello: Hello, *, asked_ms: int) -> None:
        """A stream, or a page of one, that was asked for at `asked_ms` has begun. Raises OutOfStep."""
        if hello.resumed:
            if not self._synced or hello.epoch != self._epoch or hello.position != self._position:
                raise self._out_of_step("it resumes where this verifier does not stand")
        else:
            # Begun anew. What was known before stays refused: ids are never used twice.
            self._synced = False
            self._epoch, self._position = hello.epoch, hello.position
        self._asked_ms, self._hello_clock, self._clock = asked_ms, hello.clock, -1
        self._horizon_ms = hello.horizon_ms
        self._kids.update(hello.withdrawn_kids)

    def take(self, batch: Batch) -> None:
        """Revocations. Raises OutOfStep."""
        if self._epoch is None or batch.start > self._position:
            raise self._out_of_step("revocations are missing")
        if batch.position < self._position:
            raise self._out_of_step("it has gone back")
        for entry in batch.entries:
            self._note(entry)
        self._position = batch.position

    def beat(self, heartbeat: Heartbeat) -> None:
        """That this is all. Raises OutOfStep."""
        if self._epoch is None or heartbeat.start > self._position:
            raise self._out_of_step("revocations are missing")
        if heartbeat.position < self._position or heartbeat.clock < self._clock:
            raise self._out_of_step("it has gone back")
        self._position, self._clock = heartbeat.position, heartbeat.clock
        self._horizon_ms = heartbeat.horizon_ms
        self._server_at = max(self._server_at, heartbeat.at)
        self._forget()
        said_at = self._asked_ms + heartbeat.clock - self._hello_clock
        self._fresh_until = max(said_at + self.bound_ms, self._fresh_until if self._synced else 0)
        self._synced = True

    def _out_of_step(self, why: str) -> OutOfStep:
        self._synced = False
        self._epoch = None
        return OutOfStep(f"The revocation feed cannot be followed: {why}.")

    # What is kept -------------------------------------------------------------------------------------------

    def _note(self, entry: Revocation) -> None:
        match entry.kind:
            case RevocationKind.SESSION | RevocationKind.CLIENT:
                for session_id in (entry.session_id, *(entry.session_ids or ())):
                    if session_id is not None:
                        _put(self._sessions, session_id, entry.at)
            case RevocationKind.USER:
                user_id = entry.user_id or ""
                _put(self._users, user_id, _NotBefore.after(self._users.get(user_id), entry))
            case RevocationKind.INSTANCE:
                self._everybody[None] = _NotBefore.after(self._everybody.get(None), entry)
            case RevocationKind.KEY:
                # For good: whoever has the key can date a token as they like. There are only ever a few.
                self._kids.add(entry.kid or "")
            case RevocationKind.STALE if entry.session_id is not None:
                _put(self._stale_sessions, entry.session_id, entry.at)
            case RevocationKind.STALE:
                _put(self._stale_members, (entry.organization_id, entry.user_id), entry.at)

    def _forget(self) -> None:
        since = self._server_at - self._horizon_ms
        _drop(self._sessions, lambda at: at < since)
        _drop(self._stale_sessions, lambda at: at < since)
        _drop(self._stale_members, lambda at: at < since)
        _drop(self._users, lambda kept: kept.at < since)
        _drop(self._everybody, lambda kept: kept.at < since)


class _NotBefore(msgspec.Struct, frozen=True):
    """The not-befores of one subject: the latest, whom it spares, and the latest of those that do not spare
    that session. More it does not take, however many there are."""

    at: int
    spared: str | None
    other: int

    @classmethod
    def after(cls, before: _NotBefore | None, entry: Revocation) -> _NotBefore:
        """With one more entry."""
        if before is None:
            return cls(entry.at, entry.spared, -1)
        if entry.spared == before.spared:
            return cls(max(before.at, entry.at), before.spared, before.other)
        if entry.at >= before.at:
            return cls(entry.at, entry.spared, before.at)
        return cls(before.at, before.spared, max(before.other, entry.at))

    def covers(self, auth: SignedIn) -> bool:
        """Whether a token was issued too early."""
        spared = self.spared is not None and auth.session_id == self.spared
        return auth.issued_at <= not_before_seconds(self.other if spared else self.at)


_Value = TypeVar("_Value")


def _put(table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Last in the order, so that the oldest are first."""
    table.pop(key, None)
    table[key] = value


def _drop(table: dict[_Key, _Value], old: Callable[[_Value], bool]) -> None:
    """Drop from the front what is old; what is out of order waits for those before it, a horizon at most."""
    gone: list[_Key] = []
    for key, value in table.items():
        if not old(value):
            break
        gone.append(key)
    for key in gone:
        del table[key]
