"""Where blocking steps run: in a thread, or on the spot where a store has one connection for all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from sojourn.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


def thread(name: str) -> Executor:
    """One thread that works off what it is given in turn."""
    return _Thread(max_workers=1, thread_name_prefix=f"sojourn-{name}")


class _Thread(ThreadPoolExecutor):
    """Refuses with an error of the port's where the interpreter has begun to end and starts nothing more."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As the base class. Raises Unavailable for its RuntimeError."""
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError as error:
            raise Unavailable("The store is closed, or the program is about to end.") from error


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
