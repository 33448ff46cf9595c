"""Deposits in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.core.lifecycle import settle
from sojourn.service.ports import InsertDeposit, Refused, TakeDeposit
from sojourn.stores.memory.tables import Change, Tables


class Deposits:
    """The verbs for deposits."""

    _tables: Tables

    async def deposit(self, kind: DepositKind, digest: bytes) -> Deposit | None:
        """As the port says."""
        return self._tables.deposits.get((kind, digest))

    async def purge_deposits(self, *, before: int, limit: int) -> int:
        """As the port says."""
        old = (key for key, deposit in self._tables.deposits.items() if deposit.expire_at < before)
        gone = list(islice(old, limit))
        for key in gone:
            del self._tables.deposits[key]
        return len(gone)


# What each operation does ----------------------------------------------------------------------------------


def _insert_deposit(change: Change, operation: InsertDeposit) -> None:
    deposit, now = operation.deposit, operation.live_at
    if now is not None:
        session = change.tables.sessions.get(deposit.session_id or "")
        if session is None or not settle(session, change.tables.covering(session), now).live:
            raise Refused(Refused.SESSION_ENDED, operation)
    key = (deposit.kind, deposit.digest)
    if key in change.tables.deposits:
        raise Refused(Refused.REPEATED, operation)
    change.journal.put(change.tables.deposits, key, deposit)


def _take_deposit(change: Change, operation: TakeDeposit) -> None:
    key = (operation.kind, operation.digest)
    if key not in change.tables.deposits:
        raise Refused(Refused.CHANGED, operation)
    change.journal.drop(change.tables.deposits, key)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertDeposit: _insert_deposit,
    TakeDeposit: _take_deposit,
}
"""What a commit does for each operation."""
