"""Contract: deposits are found by kind and hash, taken once, bound to a session that lives, and go when they
are old."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any

from sojourn.core.deposit import Deposit, DepositKind
from sojourn.service.ports import AppendEvent, InsertDeposit, Refused, Store, TakeDeposit
from sojourn.testing.contract.base import (
    DAY,
    NOW,
    ContractBase,
    cut,
    end,
    event_ids,
    made,
    make_event,
    make_session,
    refusal,
    seed,
    stored,
    update,
)


def make_deposit(name: str = "a", **changes: Any) -> Deposit:
    """What lies behind the secret that is its name."""
    values: dict[str, Any] = {
        "kind": DepositKind.EXCHANGE,
        "digest": sha256(name.encode()).digest(),
        "created_at": NOW,
        "expire_at": NOW + DAY,
    }
    return Deposit(**{**values, **changes})


class DepositContract(ContractBase):
    """`deposit`, `purge_deposits` and the operations on deposits."""

    async def test_deposits_are_found_by_kind_and_digest(self, store: Store) -> None:
        """Every field survives; the same digest of another kind is something else; nothing else is found."""
        full = make_deposit("a", session_id="sess_a", sealed=b"\x00\xff" * 500)
        twin = make_deposit("a", kind=DepositKind.HANDSHAKE)
        await store.commit([InsertDeposit(deposit=full), InsertDeposit(deposit=twin)])
        for deposit in (full, twin):
            assert await store.deposit(deposit.kind, deposit.digest) == deposit
        assert await store.deposit(DepositKind.REFRESH_TOKEN, full.digest) is None
        for other in (b"", bytes(32), full.digest[:-1], full.digest + b"\0"):
            assert await store.deposit(DepositKind.EXCHANGE, other) is None

    async def test_a_deposit_is_made_once(self, store: Store) -> None:
        """A second one behind the same secret is refused, with all that comes with it, and of many at once
        one is made."""
        first = make_deposit(sealed=b"first")
        await store.commit([InsertDeposit(deposit=first)])
        again = InsertDeposit(deposit=replace(first, sealed=b"second"))
        refused = await refusal(store, AppendEvent(make_event("evt_a")), again)
        assert (refused.why, refused.operation) == (Refused.REPEATED, again)
        assert await store.deposit(first.kind, first.digest) == first
        assert await event_ids(store) == []

        async def attempt(n: int) -> bool:
            try:
                await store.commit([InsertDeposit(deposit=make_deposit("race", sealed=b"%d" % n))])
            except Refused as lost:
                assert lost.why == Refused.REPEATED
                return False
            return True

        won = await asyncio.gather(*(attempt(n) for n in range(50)))
        assert won.count(True) == 1
        found = await store.deposit(DepositKind.EXCHANGE, make_deposit("race").digest)
        assert found is not None
        assert found.sealed == b"%d" % won.index(True)

    async def test_a_deposit_is_taken_once(self, store: Store) -> None:
        """Of many who take it one succeeds, and it is gone; its twin of another kind stays."""
        deposit, twin = make_deposit(), make_deposit(kind=DepositKind.HANDSHAKE)
        await store.commit([InsertDeposit(deposit=deposit), InsertDeposit(deposit=twin)])
        take = TakeDeposit(kind=deposit.kind, digest=deposit.digest)
        won = await asyncio.gather(*(made(store, take) for _ in range(20)))
        assert won.count(True) == 1
        assert await store.deposit(deposit.kind, deposit.digest) is None
        assert await store.deposit(twin.kind, twin.digest) == twin

    async def test_a_deposit_may_need_a_session_that_lives(self, store: Store) -> None:
        """One that is not there, has ended, is covered by a cutoff, or is past its deadline at that instant
        refuses it; without that instant none of it matters."""
        live, ended, due = make_session("sess_live"), make_session("sess_ended"), make_session("sess_due")
        idle = make_session("sess_idle", inactivity_seconds=60)
        await seed(store, live, ended, replace(due, expire_at=NOW + 5), idle)
        before = await stored(store, "sess_ended")
        assert await update(store, before, end(before))

        async def why(session_id: str, at: int) -> str:
            deposit = make_deposit(f"{session_id} {at}", session_id=session_id)
            try:
                await store.commit([InsertDeposit(deposit=deposit, live_at=at)])
            except Refused as refused:
                return refused.why
            return "done"

        gone = Refused.SESSION_ENDED
        assert [await why("sess_due", NOW + 4), await why("sess_due", NOW + 5)] == ["done", gone]
        assert [await why("sess_idle", NOW + 59_999), await why("sess_idle", NOW + 60_000)] == ["done", gone]
        assert [await why(name, NOW) for name in ("sess_live", "sess_ended", "sess_none")] == [
            "done",
            gone,
            gone,
        ]
        await cut(store)
        assert await why("sess_live", NOW + 1) == gone
        await store.commit([InsertDeposit(deposit=make_deposit("any", session_id="sess_none"))])

    async def test_old_deposits_go(self, store: Store) -> None:
        """Strictly before the instant, in bounded steps; the others stay."""
        old = [make_deposit(str(n), expire_at=NOW - n) for n in range(1, 6)]
        young = make_deposit("young", expire_at=NOW)
        await store.commit([InsertDeposit(deposit=deposit) for deposit in (*old, young)])
        assert await store.purge_deposits(before=NOW - 5, limit=9) == 0
        assert [await store.purge_deposits(before=NOW, limit=2) for _ in range(4)] == [2, 2, 1, 0]
        assert await store.deposit(old[0].kind, old[0].digest) is None
        assert await store.deposit(young.kind, young.digest) == young
