"""The wheel as a stranger gets it: built, installed without extras, run."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import clean_environment
from tests.test_docs import blocks

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sources as they are."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def needed(name: str) -> Iterator[metadata.Distribution]:
    """A distribution of this environment and what it needs, without extras."""
    distribution = metadata.distribution(name)
    yield distribution
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from needed(requirement.name)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel and what it needs; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("stranger")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    interpreter = folder / "bin/python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        interpreter,
        "install",
        "--no-deps",
        "--no-index",
        "-q",
    ]
    subprocess.run([*install, "--disable-pip-version-check", wheel], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in {d for name in ("apsw", "cryptography", "msgspec") for d in needed(name)}:
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            if not (site / top).exists():
                os.symlink(Path(str(distribution.locate_file(top))), site / top)
    return interpreter


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The stranger's interpreter in a folder of theirs."""
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=clean_environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_in_it(wheel: Path) -> None:
    """Every source is in the wheel, with the SQL, the types and the licence, and nothing from elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src/sojourn").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert sources <= names
    for name in ("py.typed", "blocking.pyi", "stores/sql/sqlite/migrations/0001_initial.sql"):
        assert f"sojourn/{name}" in names
    others = {name for name in names if not name.startswith("sojourn/")}
    assert all(name.partition("/")[0].endswith(".dist-info") for name in others)
    assert any(name.endswith("/LICENSE") for name in others)
    assert any(name.endswith("/entry_points.txt") for name in others)


def test_it_needs_little(python: Path, tmp_path: Path) -> None:
    """Without extras there is no server and no command line library, and it says what to install."""
    for module in ("uvicorn", "cyclopts", "starlette", "httpx"):
        assert run(python, tmp_path, "-c", f"import {module}").returncode == 1
    done = run(python, tmp_path, "-m", "sojourn", "serve")
    assert done.returncode == 1
    assert "sojourn[server]" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_not_the_working_copy(python: Path, tmp_path: Path) -> None:
    """What runs is what was installed."""
    done = run(python, tmp_path, "-c", "import sojourn; print(sojourn.__file__, sojourn.__version__)")
    file, version = done.stdout.split()
    assert Path(file).is_relative_to(python.parent.parent)
    assert version == metadata.version("sojourn")


@pytest.mark.parametrize("code", blocks("README.md", needing="sojourn", without="clerk_backend_api"))
def test_the_embedded_examples_run(python: Path, tmp_path: Path, code: str) -> None:
    """The README's examples run on SQLite with nothing but the wheel, with every warning shown."""
    done = run(python, tmp_path, "-X", "dev", "-c", code)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert (tmp_path / "app.db").exists()
