"""The map of requirements of OWASP ASVS 5.0 to tests: complete, and every test that it names is there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs/asvs.toml").read_text())["requirement"]
SECTIONS = {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2, "9.1": 3, "9.2": 4}
"""How many requirements each section of the two chapters has."""


def test_every_requirement_is_there() -> None:
    """All of both chapters, in their order."""
    expected = [f"{section}.{n}" for section, count in SECTIONS.items() for n in range(1, count + 1)]
    assert [one["id"] for one in REQUIREMENTS] == expected


@pytest.mark.parametrize("one", REQUIREMENTS, ids=lambda one: one["id"])
def test_a_requirement_names_tests_that_are_there(one: dict[str, Any]) -> None:
    """By file and function; where there is none it says what the application has to do."""
    assert one["level"] in (1, 2, 3)
    assert one["gist"].endswith(".")
    assert one["tests"] or one["application"]
    for test in one["tests"]:
        file, _, name = test.partition("::")
        assert name in functions_of(ROOT / file), test


def functions_of(file: Path) -> set[str]:
    """The test functions of a module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, kinds)}
