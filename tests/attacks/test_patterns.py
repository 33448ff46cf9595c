"""H-05: no regular expression of ours can be made to take long."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable

import pytest

import sojourn

LENGTH = 100_000
TEXTS = [
    "a" * LENGTH,
    "0" * LENGTH,
    "{" * LENGTH,
    "{{" + "'" * LENGTH,
    "{{" + "a." * (LENGTH // 2),
    "{{" + " " * LENGTH,
    "sess_" * (LENGTH // 5),
    "a_" * (LENGTH // 2) + "!",
    "." * LENGTH,
    "@" * LENGTH,
    "+" + "0 " * (LENGTH // 2),
    " " * LENGTH + "x",
    "\n" * LENGTH,
]


METHODS = ("match", "fullmatch", "search", "finditer", "split", "sub")


def uses() -> dict[str, Callable[[str], object]]:
    """Every compiled text pattern of every module with each method that its module calls on it."""
    found: dict[str, Callable[[str], object]] = {}
    for info in pkgutil.walk_packages(sojourn.__path__, "sojourn."):
        if ".testing" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            # By its type: a framework's settings, looked at as isinstance does, want to be configured first.
            if type(value) is re.Pattern and isinstance(value.pattern, str):
                for method in METHODS:
                    if f"{name}.{method}(" in source:
                        found[f"{info.name}.{name}.{method}"] = _reader(value, method)
    return found


def _reader(pattern: re.Pattern[str], method: str) -> Callable[[str], object]:
    if method == "finditer":
        return lambda text: list(pattern.finditer(text))
    if method == "sub":
        return lambda text: pattern.sub("", text)
    return getattr(pattern, method)


USES = uses()


@pytest.mark.parametrize("name", USES)
def test_h05_no_text_takes_long(name: str) -> None:
    """H-05: 100 kB of each of the worst texts is read in far less than a quadratic pattern would take."""
    began = time.process_time()
    for text in TEXTS:
        USES[name](text)
    assert time.process_time() - began < 2


def test_h05_the_control() -> None:
    """H-05: there are patterns to look at, and one that is too slow shows it on a fraction of the text."""
    assert len(USES) >= 5
    slow = re.compile(r"(a+)+$")
    began = time.process_time()
    slow.search("a" * 26 + "!")
    assert time.process_time() - began > 0.1
