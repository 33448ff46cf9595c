"""The official Node SDK, unmodified, against a real server (tests/acceptance/node/*.mjs)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.browsers import beside, browser
from tests.conftest import require_tool
from tests.postgres.databases import Databases
from tests.support import Server, serving

NODE = Path(__file__).parent / "node"
RUNNERS = {
    "run.mjs": 18,
    "tickets.mjs": 5,
    "organizations.mjs": 5,
    "browsers.mjs": 9,
    "users.mjs": 4,
    "templates.mjs": 5,
}
"""How many checks each runner has."""
ROLES = '[roles]\n"org:editor" = ["org:posts:manage", "org:posts:read", "org:pages:read"]\n'


def run_node(script: str, server: Server, **environment: str) -> None:
    """Run a runner against a server: each of its checks passes, and none of them has gone missing."""
    require_tool("node", shutil.which("node"), "install Node 20 or newer")
    require_tool("@clerk/backend", (NODE / "node_modules/@clerk/backend").exists(), "run `make setup`")
    environment = {
        "PATH": os.environ["PATH"],
        "CLERK_SECRET_KEY": server.secret_key,
        "CLERK_PUBLISHABLE_KEY": server.publishable_key,
        "CLERK_API_URL": server.url,
        **environment,
    }
    done = subprocess.run(
        ["node", script], cwd=NODE, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.strip().split("\n")[-1])
    failed = [f"{result['name']}: {result['detail']}" for result in results if not result["ok"]]
    if failed:
        pytest.fail("\n".join(failed))
    assert len(results) == RUNNERS[script]


@pytest.mark.parametrize("script", ["run.mjs", "tickets.mjs", "users.mjs", "templates.mjs"])
def test_every_operation_of_the_node_sdk(tmp_path: Path, script: str) -> None:
    """Each named check of the runner passes, and none of them has gone missing."""
    with serving(tmp_path) as server:
        run_node(script, server)


@pytest.mark.parametrize("script", ["run.mjs", "tickets.mjs"])
def test_the_node_sdk_on_postgresql(tmp_path: Path, databases: Databases, script: str) -> None:
    """The same on the other store."""
    with serving(tmp_path, SOJOURN_DATABASE_URL=databases.new()) as server:
        run_node(script, server)


def test_organizations_of_the_node_sdk(tmp_path: Path) -> None:
    """The same on a server where a role has permissions of the application's own."""
    (tmp_path / "roles.toml").write_text(ROLES)
    with serving(tmp_path, SOJOURN_CONFIG=str(tmp_path / "roles.toml")) as server:
        run_node("organizations.mjs", server)


async def test_a_browser_of_the_node_sdk(tmp_path: Path) -> None:
    """Client token, refresh and handshakes of somebody who is signed in, as a server that renders pages meets
    them."""
    with serving(tmp_path) as server:
        async with beside(server) as sojourn:
            held = await browser(sojourn)
            run_node("browsers.mjs", server, **held.environment())
