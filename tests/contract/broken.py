"""Where broken stores say which test of the contract must fail on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sojourn.stores.memory import MemoryStore

Broken = TypeVar("Broken", bound=type[MemoryStore])
BROKEN: list[tuple[type[MemoryStore], str, dict[str, Any]]] = []


def breaks(test: str, **arguments: Any) -> Callable[[Broken], Broken]:
    """Register a store with the test that must fail on it, and the parameters of that test."""

    def register(store: Broken) -> Broken:
        BROKEN.append((store, test, arguments))
        return store

    return register
