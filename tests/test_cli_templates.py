"""The commands for templates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import clean_environment
from tests.test_cli import refused, run, run_json
from tests.tokens.test_custom_keys import SECRET, text_for


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_template_from_creation_to_deletion(folder: Path) -> None:
    """Made, shown by id and name, listed, changed, deleted; for people and for programs."""
    made = run_json(folder, "templates", "create", "my own", '{"a": "{{user.id}}"}', "--lifetime", "300")
    other = run(folder, "templates", "create", "other", "{}").stdout.strip()
    assert (made["name"], made["claims"], made["lifetime"]) == ("my own", {"a": "{{user.id}}"}, 300)
    for name in (made["id"], "my own"):
        assert run_json(folder, "templates", "show", name) == made
    shown = run(folder, "templates", "show", "my own").stdout
    assert '{"a": "{{user.id}}"}' in shown
    lines = run(folder, "templates", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["template", other, made["id"]]
    changed = run_json(folder, "templates", "update", "my own", "--name", "mine", "--allowed-clock-skew", "9")
    assert (changed["name"], changed["lifetime"], changed["allowed_clock_skew"]) == ("mine", 300, 9)
    assert run_json(folder, "templates", "delete", "mine") == {"id": made["id"], "deleted": True}
    assert "deleted" in run(folder, "templates", "delete", other).stdout
    assert "There is no template." in run(folder, "templates", "list").stdout


def test_claims_and_keys_from_files(folder: Path) -> None:
    """Claims come from a file or the standard input, a key from a file alone, and no output shows it."""
    (folder / "claims.json").write_text('{"b": 1}')
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "key.pem").write_text(text_for("ES256"))
    assert run_json(folder, "templates", "create", "file", "@claims.json")["claims"] == {"b": 1}
    piped = subprocess.run(
        [sys.executable, "-m", "sojourn", "templates", "create", "piped", "@-", "--json"],
        input='{"c": 1}',
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(piped.stdout)["claims"] == {"c": 1}
    for algorithm, file in (("HS256", "secret"), ("ES256", "key.pem")):
        key = ("--signing-algorithm", algorithm, "--signing-key-file", file)
        done = run(folder, "templates", "create", algorithm, "{}", *key)
        assert SECRET not in done.stdout + done.stderr
        assert run_json(folder, "templates", "show", algorithm)["signing_algorithm"] == algorithm
    back = run_json(folder, "templates", "update", "ES256", "--no-custom-signing-key")
    assert (back["custom_signing_key"], back["signing_algorithm"]) == (False, "RS256")


def test_the_budget_is_told(folder: Path) -> None:
    """Beside the result, which stays what programs read."""
    done = run(folder, "templates", "create", "large", json.dumps({"a": "x" * 1300}))
    assert "claims_over_budget" in done.stderr
    assert done.stdout.strip().startswith("jtmp_")


def test_errors_are_one_line(folder: Path) -> None:
    """What is not there, not JSON, reserved or not readable is explained."""
    run(folder, "templates", "create", "a", "{}")
    for command in ("show", "delete", "update"):
        assert "jtmp_none" in refused(folder, "templates", command, "jtmp_none")
        assert "named" in refused(folder, "templates", command, "named")
    assert "JSON object" in refused(folder, "templates", "create", "b", "[1]")
    assert "sub" in refused(folder, "templates", "create", "b", '{"sub": 1}')
    assert "nowhere" in refused(folder, "templates", "create", "b", "@nowhere")
    key = ("--signing-algorithm", "none")
    assert "signing_key" in refused(folder, "templates", "create", "b", "{}", *key)
    run(folder, "policy", "set", "session_token_template=a")
    assert "session_token_template" in refused(folder, "templates", "delete", "a")
