"""Deposits: what happens, and the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.deposit import Deposit, DepositKind


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertDeposit:
    """Store a deposit. Refused.REPEATED when one of its kind and digest is stored already, expired or not.

    With `live_at` (ms) Refused.SESSION_ENDED unless its session lives at that instant, cutoffs included, at
    the commit: no end of the session was acknowledged before it.
    """

    deposit: Deposit
    live_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDeposit:
    """Remove a deposit. Refused.CHANGED when it is not there: of many who take it one succeeds."""

    kind: DepositKind
    digest: bytes


DepositOperation: TypeAlias = InsertDeposit | TakeDeposit


class DepositStore(Protocol):
    """The verbs for deposits."""

    async def deposit(self, kind: DepositKind, digest: bytes) -> Deposit | None:
        """The deposit behind the secret with this SHA-256, expired or not."""
        ...

    async def purge_deposits(self, *, before: int, limit: int) -> int:
        """Delete at most `limit` deposits that expire before an instant (ms). How many went."""
        ...
