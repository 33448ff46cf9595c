"""Deposits as rows."""

from __future__ import annotations

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.stores.sql.rows.sessions import Row, Values


def deposit_of(row: Row) -> Deposit:
    """A deposit from `deposit_columns`."""
    return Deposit(
        kind=DepositKind(row[0]),
        digest=row[1],
        created_at=row[2],
        expire_at=row[3],
        session_id=row[4],
        sealed=row[5],
    )


def deposit_values(deposit: Deposit) -> Values:
    """The values of `deposit_insert`."""
    return (
        deposit.kind.value,
        deposit.digest,
        deposit.created_at,
        deposit.expire_at,
        deposit.session_id,
        deposit.sealed,
    )
