"""What a program may import, and what that loads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sojourn
from sojourn import testing
from tests.support import clean_environment

PUBLIC = [
    "Activity",
    "Actor",
    "Config",
    "Limits",
    "NewContact",
    "NewUser",
    "NotFound",
    "Policy",
    "Session",
    "Sojourn",
    "SojournError",
    "Status",
    "Unavailable",
]
SERVICES = {
    "sessions",
    "tokens",
    "templates",
    "users",
    "organizations",
    "memberships",
    "clients",
    "devices",
    "events",
    "api_keys",
    "keys",
    "sweeper",
    "policies",
    "history",
    "end_links",
    "endings",
    "doctor",
    "tickets",
    "testing_tokens",
    "refresh_tokens",
    "handshakes",
}


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running `code`, and did not have before."""
    told = "print(json.dumps(sorted(set(sys.modules) - before)))"
    program = f"import sys, json\nbefore = set(sys.modules)\n{code}\n{told}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=clean_environment(), timeout=30
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def packages(modules: set[str]) -> set[str]:
    """The top-level packages of modules."""
    return {name.partition(".")[0] for name in modules}


def test_the_public_names() -> None:
    """The public names are these and no others; each of them is there and says what it is."""
    assert sojourn.__all__ == PUBLIC
    for name in PUBLIC:
        assert getattr(sojourn, name).__doc__
    assert testing.__all__ == ["ManualClock", "SequentialEntropy"]


def test_a_star_import_brings_no_more() -> None:
    """Nothing but the public names comes with a star."""
    names: dict[str, object] = {}
    exec("from sojourn import *", names)  # noqa: S102
    assert sorted(set(names) - {"__builtins__"}) == PUBLIC


async def test_the_public_members_of_a_sojourn() -> None:
    """A Sojourn has its services, what it is, and two methods beside its opening."""
    config = sojourn.Config(database_url="memory://", sweep=False)
    async with sojourn.Sojourn.open(config=config) as made:
        public = {name for name in dir(made) if not name.startswith("_")}
    assert public == SERVICES | {
        "feed",
        "reach",
        "instance",
        "issuer",
        "frontend",
        "new_secret_key",
        "policy",
        "open",
        "check",
        "begin_again",
        "rekey",
        "authenticator",
    }


def test_importing_the_library_loads_no_server() -> None:
    """The plain import brings no server, no command line, no test tools and no SQL."""
    modules = loaded("import sojourn")
    unwanted = {"uvicorn", "uvloop", "httptools", "cyclopts", "starlette", "httpx", "pytest", "hypothesis",
                "apsw", "sqlite3", "rich"}  # fmt: skip
    assert packages(modules).isdisjoint(unwanted)
    for module in (
        "sojourn.http",
        "sojourn.cli",
        "sojourn.testing",
        "sojourn.stores.sqlite",
        "sojourn.blocking",
    ):
        assert module not in modules


@pytest.mark.parametrize("module", ["sojourn.blocking", "sojourn.testing", "sojourn.http.app"])
def test_what_further_imports_load(module: str) -> None:
    """The blocking front, the test helpers and the application need no extra either."""
    unwanted = {"uvicorn", "cyclopts", "starlette", "httpx", "pytest", "hypothesis", "apsw"}
    assert packages(loaded(f"import {module}")).isdisjoint(unwanted)


def test_verifying_loads_no_store_and_no_framework() -> None:
    """An application that verifies loads cryptography, msgspec and the standard library; no SQL, no service,
    no web framework and no HTTP client."""
    modules = loaded("import sojourn.verify")
    allowed = {"sojourn", "cryptography", "msgspec", "_cffi_backend", "cffi"}
    assert {name for name in packages(modules) - allowed if name not in sys.stdlib_module_names} <= {
        "__editable___sojourn", "_openssl", "typing_extensions"}  # fmt: skip
    assert "sqlite3" not in modules
    rooms = {name.split(".")[1] for name in modules if name.startswith("sojourn.")}
    assert {"verify"} <= rooms <= {"verify", "tokens", "core"}


def test_the_names_are_loaded_when_used() -> None:
    """The bare import loads none of the rooms, the first use of a name what it needs."""
    assert not {name for name in loaded("import sojourn") if name.startswith("sojourn.")}
    assert "sojourn.runtime" in loaded("import sojourn; sojourn.Sojourn")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = sojourn.Nothing  # type: ignore[attr-defined] # that is the point
    assert set(sojourn.__all__) <= set(dir(sojourn))


def test_the_core_needs_the_standard_library_only() -> None:
    """Every module of the core, taken by itself, loads nothing from outside, no I/O and no other layer."""
    modules = loaded(
        "import importlib, pkgutil, types, importlib.util\n"
        "spec = importlib.util.find_spec('sojourn')\n"
        "package = types.ModuleType('sojourn')\n"  # without what sojourn/__init__.py brings together
        "package.__path__ = spec.submodule_search_locations\n"
        "sys.modules['sojourn'] = package\n"
        "core = importlib.import_module('sojourn.core')\n"
        "for module in pkgutil.iter_modules(core.__path__):\n"
        "    importlib.import_module(f'sojourn.core.{module.name}')"
    )
    own = {name for name in modules if name.startswith("sojourn")}
    assert {"sojourn.core.lifecycle", "sojourn.core.session"} <= own
    assert all(name == "sojourn" or name.startswith("sojourn.core") for name in own)
    assert packages(modules) - {"sojourn"} <= set(sys.stdlib_module_names)
    assert packages(modules).isdisjoint(
        {"asyncio", "socket", "logging", "sqlite3", "ssl", "random", "secrets"}
    )
