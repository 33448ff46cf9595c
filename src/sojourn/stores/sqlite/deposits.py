"""Deposits on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.service.ports import InsertDeposit, Refused, TakeDeposit
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows.deposits import deposit_of, deposit_values
from sojourn.stores.sqlite.changes import Change
from sojourn.stores.sqlite.reads import Reads
from sojourn.stores.sqlite.writer import Writer

_SQL = queries("sqlite")


class Deposits:
    """The verbs for deposits."""

    _reads: Reads
    _writer: Writer
    _change: Change

    async def deposit(self, kind: DepositKind, digest: bytes) -> Deposit | None:
        """As the port says."""
        found = await self._reads.point(_SQL["deposit_get"], (kind.value, digest))
        return deposit_of(found[0]) if found else None

    async def purge_deposits(self, *, before: int, limit: int) -> int:
        """As the port says."""
        return await self._writer.run(lambda: self._change.delete("deposit_purge", before, limit), long=True)


# What each operation does ----------------------------------------------------------------------------------


def _insert_deposit(change: Change, operation: InsertDeposit) -> None:
    deposit = operation.deposit
    if operation.live_at is not None:
        bindings = {"id": deposit.session_id, "now": operation.live_at}
        if not change.execute(_SQL["session_lives"], bindings).fetchall():
            raise Refused(Refused.SESSION_ENDED, operation)
    change.insert_unrepeated("deposit_insert", deposit_values(deposit), operation)


def _take_deposit(change: Change, operation: TakeDeposit) -> None:
    change.update("deposit_take", (operation.kind.value, operation.digest), operation)


CHANGES: Mapping[type, Callable[..., None]] = {
    InsertDeposit: _insert_deposit,
    TakeDeposit: _take_deposit,
}
"""What a commit does for each operation."""
