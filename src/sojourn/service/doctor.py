"""doctor: what is worth knowing about an instance before it goes wrong, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sojourn.core.keys import ApiKeyKind
from sojourn.service.api_keys import ApiKeys
from sojourn.service.context import Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import StoreReport

LOW_SPACE_BYTES = 256 * 1024 * 1024
LARGE_LOG_BYTES = 256 * 1024 * 1024
OVERDUE_LIMIT = 5_000
HELD_MS = 5_000
"""A change that takes longer to be committed holds up every reader of events."""
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `advice` says what to do where it is not well."""

    name: str
    level: Literal["ok", "warning", "error"]
    value: str
    advice: str | None = None


class Doctor:
    """Looks at an instance and changes nothing."""

    def __init__(self, context: Context, api_keys: ApiKeys, keys: HeldRing) -> None:
        self._context = context
        self._api_keys = api_keys
        self._keys = keys

    async def examine(self) -> Sequence[Finding]:
        """All findings, in a fixed order. Raises Unavailable when the store does not answer at all."""
        report = await self._context.store.report(self._context.clock.now())
        return [
            Finding(name="store", level="ok", value=f"{report.engine}, schema {report.schema}"),
            _durability(report),
            *_server(report),
            *_sizes(report),
            self._sweeper(report),
            self._clock(report),
            self._master_key(),
            await self._secret_keys(),
            self._signing_keys(),
            self._policy(),
        ]

    def _sweeper(self, report: StoreReport) -> Finding:
        behind = report.overdue >= OVERDUE_LIMIT
        return Finding(
            name="sweeper",
            level="warning" if behind else "ok",
            value=f"{report.overdue:,} ended sessions to write back",
            advice="Is a process with sweep = true running? `sojourn sweep` does it by hand."
            if behind
            else None,
        )

    def _clock(self, report: StoreReport) -> Finding:
        now = self._context.clock.wall()
        ahead = (report.newest_event_at or 0) - now
        wrong = ahead > _MINUTE_MS
        return Finding(
            name="clock",
            level="error" if wrong else "ok",
            value=f"{ahead / 1000:.0f} s behind the newest event" if wrong else "not behind the newest event",
            advice="The clock was set back, or another machine's is fast: synchronise them."
            if wrong
            else None,
        )

    def _master_key(self) -> Finding:
        sealed = self._keys.master is not None
        return Finding(
            name="keys at rest",
            level="ok" if sealed else "warning",
            value=f"sealed with {self._keys.master.id}" if self._keys.master else "in the clear",
            advice=None if sealed else "Set SOJOURN_MASTER_KEY: who reads the database can sign as anybody.",
        )

    async def _secret_keys(self) -> Finding:
        keys = [key for key in await self._api_keys.list() if key.revoked_at is None]
        secret = sum(key.kind is ApiKeyKind.SECRET for key in keys)
        return Finding(
            name="API keys",
            level="ok" if secret else "error",
            value=f"{secret} secret, {len(keys) - secret} verifier",
            advice=None if secret else "No secret key is live: `sojourn keys create`.",
        )

    def _signing_keys(self) -> Finding:
        ring, now = self._keys.ring, self._context.clock.now()
        published = len(ring.jwks(now)["keys"])
        current = ring.current(now)
        days = (now - current.activates_at) // 86_400_000
        return Finding(
            name="signing keys",
            level="ok",
            value=f"{current.kid} signs since {days} days, {published} published",
        )

    def _policy(self) -> Finding:
        policy = self._context.policy
        inactivity = "off" if policy.inactivity_seconds is None else f"{policy.inactivity_seconds} s"
        return Finding(
            name="policy",
            level="ok",
            value=f"lifetime {policy.lifetime_seconds} s, inactivity {inactivity}, "
            f"tokens {policy.token_lifetime_seconds} s",
        )


def _durability(report: StoreReport) -> Finding:
    return Finding(
        name="durability",
        level="ok" if report.durable else "warning",
        value=report.durability,
        advice=None if report.durable else "What is acknowledged here does not survive a power cut.",
    )


def _server(report: StoreReport) -> Sequence[Finding]:
    """What only a store on a server of its own has to tell."""
    if report.connections is None:
        return ()
    held = report.log_held_ms or 0
    late = held > HELD_MS
    seen = "not to be seen by this role (pg_monitor)" if report.standbys is None else str(report.standbys)
    return (
        Finding(name="standbys that confirm", level="ok", value=seen),
        Finding(name="connections in use", level="ok", value=f"{report.connections} (read, commit, touch)"),
        Finding(
            name="event log",
            level="warning" if late else "ok",
            value=f"held back for {held / 1000:.1f} s" if held else "not held back",
            advice="A transaction that writes has been open that long: pg_stat_activity names it."
            if late
            else None,
        ),
    )


def _sizes(report: StoreReport) -> Sequence[Finding]:
    found = [Finding(name="sessions", level="ok", value=f"{report.sessions:,} ever created")]
    if report.size_bytes is None or report.free_bytes is None:
        return found
    log = report.log_bytes or 0
    large, low = log > LARGE_LOG_BYTES, report.free_bytes < LOW_SPACE_BYTES
    found.append(
        Finding(
            name="database",
            level="warning" if large else "ok",
            value=f"{_mib(report.size_bytes)}, log {_mib(log)}",
            advice="A reader that never ends keeps the log from being emptied." if large else None,
        )
    )
    found.append(
        Finding(
            name="disk",
            level="error" if low else "ok",
            value=f"{_mib(report.free_bytes)} free",
            advice="Make room: without any, changes are refused with 507." if low else None,
        )
    )
    return found


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
