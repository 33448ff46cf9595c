"""Stores that break a promise about deposits, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.service.ports import InsertDeposit, Operation, TakeDeposit
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks


@breaks("test_deposits_are_found_by_kind_and_digest")
class IgnoresTheKind(MemoryStore):
    """A refresh token is as good as a nonce."""

    async def deposit(self, kind: DepositKind, digest: bytes) -> Deposit | None:
        every = [await super(IgnoresTheKind, self).deposit(other, digest) for other in (kind, *DepositKind)]
        return next((one for one in every if one is not None), None)


@breaks("test_a_deposit_is_made_once")
class OverwritesDeposits(MemoryStore):
    """The last one counts."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, InsertDeposit):
                self._tables.deposits.pop((operation.deposit.kind, operation.deposit.digest), None)
        await super().commit(operations)


@breaks("test_a_deposit_is_taken_once")
class TakesOften(MemoryStore):
    """Whoever takes a deposit has it, though others have it too."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([o for o in operations if not isinstance(o, TakeDeposit)])


@breaks("test_a_deposit_may_need_a_session_that_lives")
class AsksNoSession(MemoryStore):
    """Whether the session lives is not looked at."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(
            [replace(o, live_at=None) if isinstance(o, InsertDeposit) else o for o in operations]
        )


@breaks("test_old_deposits_go")
class PurgesDepositsAtOnce(MemoryStore):
    """Every old deposit goes at once."""

    async def purge_deposits(self, *, before: int, limit: int) -> int:
        return await super().purge_deposits(before=before, limit=10**9)
