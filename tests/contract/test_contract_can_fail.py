"""The contract tells a broken store: each breaks one promise, and the test of that promise fails."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.stores.memory import MemoryStore
from sojourn.testing.contract import StoreContract
from tests.contract import (
    broken_clients,
    broken_deposits,
    broken_keys,
    broken_organizations,
    broken_reads,
    broken_templates,
    broken_tickets,
    broken_users,
    broken_walks,
    broken_writes,
)
from tests.contract.broken import BROKEN


async def run(store: MemoryStore, test: str, arguments: dict[str, Any]) -> None:
    """Run one test of the contract on a store."""
    method: Any = getattr(StoreContract(), test)
    if hasattr(method, "hypothesis"):
        await method.hypothesis.inner_test(StoreContract(), store, **arguments)
    else:
        await method(store, **arguments)


@pytest.mark.parametrize(("broken", "test", "arguments"), BROKEN, ids=lambda v: getattr(v, "__name__", None))
async def test_a_broken_store_fails(broken: type[MemoryStore], test: str, arguments: dict[str, Any]) -> None:
    """The named test fails on the broken store, and passes on the one that it was made from."""
    await run(MemoryStore(), test, arguments)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await run(broken(), test, arguments)


def test_there_are_broken_stores() -> None:
    """Every module has registered theirs, and no store is in the list twice."""
    stores = {store for store, _, _ in BROKEN}
    assert len(stores) == len(BROKEN)
    modules = (
        broken_clients,
        broken_deposits,
        broken_keys,
        broken_organizations,
        broken_reads,
        broken_templates,
        broken_tickets,
        broken_users,
        broken_walks,
        broken_writes,
    )
    assert {store.__module__ for store in stores} == {module.__name__ for module in modules}
