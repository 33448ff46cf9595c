"""Deposits on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.service.ports import InsertDeposit, Refused, TakeDeposit
from sojourn.stores.postgres.changes import Change
from sojourn.stores.postgres.reads import Reads
from sojourn.stores.postgres.writer import Writer
from sojourn.stores.sql.rows.deposits import deposit_of, deposit_values


class Deposits:
    """The verbs for deposits."""

    _reads: Reads
    _writer: Writer

    async def deposit(self, kind: DepositKind, digest: bytes) -> Deposit | None:
        """As the port says."""
        found = await self._reads.named("deposit_get", kind=kind.value, digest=digest)
        return deposit_of(found[0]) if found else None

    async def purge_deposits(self, *, before: int, limit: int) -> int:
        """As the port says."""
        bindings = {"before": before, "limit": limit}
        return await self._writer.run(lambda change: change.run("deposit_purge", bindings))


# What each operation does ----------------------------------------------------------------------------------


async def _insert_deposit(change: Change, operation: InsertDeposit) -> None:
    deposit = operation.deposit
    if operation.live_at is not None:
        bindings = {"id": deposit.session_id, "now": operation.live_at}
        if not await change.rows("session_lives", bindings):
            raise Refused(Refused.SESSION_ENDED, operation)
    await change.insert_unrepeated("deposit_insert", deposit_values(deposit), operation)


async def _take_deposit(change: Change, operation: TakeDeposit) -> None:
    bindings = {"kind": operation.kind.value, "digest": operation.digest}
    await change.update("deposit_take", bindings, operation)


CHANGES: Mapping[type, Callable[..., Awaitable[None]]] = {
    InsertDeposit: _insert_deposit,
    TakeDeposit: _take_deposit,
}
"""What a commit does for each operation."""
