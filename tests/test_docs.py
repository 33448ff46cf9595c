"""The documents say what the code does: their examples run, their tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sojourn.config import Config
from sojourn.core.policy import Policy
from sojourn.http.backend import OPERATIONS
from sojourn.http.frontend import OPERATIONS as FRONTEND
from tests.support import clean_environment, serving

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: str, *, needing: str, without: str = "\0") -> list[str]:
    """The Python examples of a document that mention one word and not another."""
    found = [block for block in BLOCK.findall((ROOT / document).read_text()) if needing in block]
    return [block for block in found if without not in block]


def run(code: str, folder: Path, **environment: str) -> str:
    """What an example prints when a stranger runs it in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", blocks("README.md", needing="sojourn", without="clerk_backend_api"))
def test_embedded_examples_of_the_readme_run(code: str, tmp_path: Path) -> None:
    """Each embedded example runs as it stands and leaves its database behind."""
    printed = run(code, tmp_path)
    assert "True" in printed or "active" in printed
    assert (tmp_path / "app.db").exists()


def test_the_readme_has_its_examples() -> None:
    """The patterns of the tests above and below do find the examples."""
    assert len(blocks("README.md", needing="sojourn", without="clerk_backend_api")) == 2
    assert len(blocks("README.md", needing="clerk_backend_api")) == 1


def test_sdk_example_of_the_readme_runs(tmp_path: Path) -> None:
    """The official SDK's example runs against a server that was just started."""
    (code,) = blocks("README.md", needing="clerk_backend_api")
    with serving(tmp_path) as server:
        printed = run(code, tmp_path, CLERK_SECRET_KEY=server.secret_key, CLERK_API_URL=server.url)
    lines = printed.split("\n")
    assert lines[0].startswith("active ey")
    assert lines[1] == "revoked"


def test_examples_over_the_network_run(tmp_path: Path) -> None:
    """The examples of docs/remote.md run against a server that was just started."""
    with serving(tmp_path) as server:
        known = {"URL": server.url, "SECRET_KEY": server.secret_key}
        first, second = (run(code, tmp_path, **known) for code in blocks("docs/remote.md", needing="sojourn"))
    assert first.startswith("The application revoked this session.")
    assert "There is no live session" in first
    assert second == "[]\n"


def test_wire_table_lists_every_operation() -> None:
    """The compatibility tables have exactly the operations that are served: each with its request where the
    published API is the backend's, each by its name where it is the frontend's."""
    text = (ROOT / "docs/wire-compatibility.md").read_text()
    backend, _, frontend = text.partition("## The Frontend API")
    found = re.findall(r"^\| (\w+) \| `([^`]+)` \|", backend, re.MULTILINE)
    assert set(found) == {(o.name, f"{o.method} {o.path}") for o in OPERATIONS}
    rows = re.findall(r"^\| ([a-z]\w+(?:, \w+)*) \| `", frontend, re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} == {o.name for o in FRONTEND}


def test_operations_lists_every_setting() -> None:
    """Every setting and every limit of the policy stands in the operations guide."""
    text = (ROOT / "docs/operations.md").read_text()
    for field in msgspec.structs.fields(Config):
        assert f"`{field.name}`" in text or field.name == "policy", field.name
    for name in Policy.__dataclass_fields__:
        assert f"`{name}`" in text, name


def test_links_between_documents_hold() -> None:
    """Every relative link in a document leads to a file."""
    for document in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("adr/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert os.path.exists(document.parent / target), f"{document.name} -> {target}"


@pytest.mark.parametrize("code", blocks("docs/verify.md", needing="pem ="))
def test_the_example_of_verifying_runs(code: str, tmp_path: Path) -> None:
    """The example of a verifier runs as it stands and refuses what is no token."""
    assert run(code, tmp_path).strip() == "False token-invalid"
