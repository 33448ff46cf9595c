"""Client: a browser or device that holds sessions, and the rotating secret by which it is known.

The browser presents a secret that is replaced at each sign-in and at the start and the end of an
impersonation, so that one which somebody knew before is worth nothing after (RELIABILITY S-01, S-02). The
successor follows from the secret that was presented, so that of many who present it at once all are given
the same one, whoever was first (R10). Here are the rules; `tokens/client_token.py` has the cryptography.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from sojourn.core.session import Session

GRACE_MS = 10_000
"""For how long a replaced secret is still answered, with its successor (RELIABILITY R10: 10 s): requests that
were under way, and an answer that never arrived."""
MAX_ROTATIONS = 8
"""How many rotations can be within their grace at once; each takes a sign-in of its own."""


class Standing(Enum):
    """What it means that a secret which was issued for a client is presented now."""

    CURRENT = auto()
    """It is the one in force."""
    SUCCEEDED = auto()
    """It was replaced a moment ago: whoever presents it is told the successor."""
    OUTGROWN = auto()
    """It was replaced a moment ago, and the client held no session before: somebody may have planted it in
    the browser, so it opens nothing of what came after (RELIABILITY S-01)."""
    REUSED = auto()
    """It was replaced longer ago: two parties have it (RELIABILITY R11)."""
    UNKNOWN = auto()
    """The client has no secret any more, or a restored database does not know this one yet."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A secret was replaced `at` an instant (ms). `held`: the client held a live session just before."""

    at: int
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """The rotating secret as it is kept: the SHA-256 of the one in force, which holds 256 bits that nobody
    can guess, and the rotations that are within their grace, the latest last."""

    digest: bytes = field(repr=False)
    generation: int = 1
    rotations: tuple[Rotation, ...] = ()

    def standing(self, generation: int, now: int) -> Standing:
        """Where the secret of a generation stands at `now` (ms), if it is the one that was issued."""
        back = self.generation - generation
        if back < 0:
            return Standing.UNKNOWN
        if back == 0:
            return Standing.CURRENT
        since = self.rotations[-back:]
        if len(since) < back or now >= since[0].at + GRACE_MS:
            return Standing.REUSED
        return Standing.SUCCEEDED if all(rotation.held for rotation in since) else Standing.OUTGROWN

    def is_digest(self, digest: bytes) -> bool:
        """Whether this is the digest of the secret in force."""
        return hmac.compare_digest(self.digest, digest)

    def rotated(self, digest: bytes, now: int, *, held: bool) -> ClientSecret:
        """The secret after its successor, which has this digest, came into force at `now` (ms)."""
        graced = [rotation for rotation in self.rotations if now < rotation.at + GRACE_MS]
        return ClientSecret(
            digest=digest,
            generation=self.generation + 1,
            rotations=(*graced, Rotation(now, held))[-MAX_ROTATIONS:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A browser or device (spec Client). Instants are integer milliseconds of Unix time."""

    id: str
    created_at: int
    updated_at: int
    last_active_session_id: str | None = None
    last_authentication_strategy: str | None = None
    secret: ClientSecret | None = None
    """None: nobody can present this client; the application made it, or it was destroyed."""
    impersonation_id: str | None = None
    """The session that began an impersonation here after which the secret was not rotated yet."""
    version: int = 1
    sequence: int = 0

    def changed(self, now: int, **changes: object) -> Client:
        """This client after a change at `now` (ms): strictly later than the one before, even where the clock
        stood still or stepped back."""
        return replace(
            self,
            updated_at=max(now, self.updated_at + 1),
            version=self.version + 1,
            **changes,  # pyright: ignore[reportArgumentType]  # the callers name fields of Client
        )

    def to_wire(self, sessions: Sequence[Session]) -> dict[str, object]:
        """The resource with its sessions, which the caller has settled and filtered."""
        last = last_active(self, sessions)
        return {
            "object": "client",
            "id": self.id,
            "session_ids": [session.id for session in sessions],
            "sessions": [session.to_wire() for session in sessions],
            "sign_in_id": None,
            "sign_up_id": None,
            "last_active_session_id": last.id if last else None,
            "last_authentication_strategy": self.last_authentication_strategy,
            "updated_at": self.updated_at,
            "created_at": self.created_at,
        }


def last_active(client: Client, sessions: Sequence[Session]) -> Session | None:
    """The session that is in front: the one that the client was last told to use while that one lives, else
    the live one with the latest activity (wire/frontend-api.md section 7)."""
    live = [session for session in sessions if session.live]
    named = next((session for session in live if session.id == client.last_active_session_id), None)
    return named or max(live, key=lambda session: (session.last_active_at, session.sequence), default=None)


def client_uat(client: Client | None, sessions: Sequence[Session], now: int) -> int:
    """The value of the cookie `__client_uat`: when the client last changed, in seconds of Unix time, 0 when
    nobody is signed in.

    Never later than `now` (ms, as other machines see it): a session token whose `iat` lies before it sends
    the browser through a handshake (wire/frontend-api.md section 5).
    """
    if client is None or not any(session.live for session in sessions):
        return 0
    return min(client.updated_at, now) // 1000
