"""Where blocking steps run: in a thread, or on the spot where a store has one connection for all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def thread(name: str) -> Executor:
    """One thread that works off what it is given in turn."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sojourn-{name}")


class Inline(Executor):
    """Runs everything at once in the calling thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` and return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
