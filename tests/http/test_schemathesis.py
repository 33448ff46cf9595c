"""H-03: requests that schemathesis makes of the served OpenAPI document, and its verdict on the answers.

It reads the operations from the document, so that one which is added is among them without a word here.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from sojourn import Config, Sojourn
from sojourn.http.app import OPERATIONS, App
from sojourn.http.problems import Problem
from sojourn.http.routes import Call, Table
from tests.http.conftest import SECRET
from tests.support import clean_environment, free_port, serving

FULL = os.environ.get("SOJOURN_FAULTS") == "full"
LEAST = 10_000 if FULL else 300
SHORT = ("--phases", "fuzzing", "--max-examples", "4", "--seed", "1")
LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "60")


def judge(url: str, secret_key: str, folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The report of one run over everything that is described at `url`, and what it printed."""
    report = folder / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
            *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
            *("run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {secret_key}"),
            *("--report-json-path", str(report), *arguments),
        ],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text()), done.stdout


@pytest.mark.timeout(0 if FULL else 300)
def test_h03_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """No 5xx, no undocumented status, header or content type, no answer that is not what its schema says, no
    request against its schema that is let through, no key that is ignored."""
    with serving(tmp_path, SOJOURN_LOG_LEVEL="error") as server:
        report, printed = judge(server.url, server.secret_key, tmp_path, *(LONG if FULL else SHORT))
        log = server.log.read_text()
    cases = report["test_cases"]
    sys.stdout.write(
        f"\n{cases['generated']} cases, {report['operations']['tested']} operations, seed {report['seed']}\n"
    )
    assert (report["failures"], report["errors"]) == ([], []), printed
    assert report["complete"]
    assert report["operations"]["tested"] == len(OPERATIONS)
    assert cases["generated"] >= LEAST
    assert "request failed" not in log


def test_h03_schemathesis_would_find_something(tmp_path: Path) -> None:
    """Control: a fault, an undocumented status and an answer of another shape are each found."""

    async def fails(call: Call) -> object:
        raise RuntimeError("broken on purpose")

    async def undocumented(call: Call) -> object:
        raise Problem(418, "teapot", "This is a teapot.")

    async def misshapen(call: Call) -> object:
        return {"object": "policy"}

    broken = {"GetUserList": fails, "GetClientList": undocumented, "GetPolicy": misshapen}
    arguments = [part for name in broken for part in ("--include-operation-id", name)]
    with serving_with(broken) as url:
        report, printed = judge(url, SECRET, tmp_path, *SHORT, *arguments)
    found = {
        operation: failure["type"] for failure in report["failures"] for operation in failure["operations"]
    }
    assert found == {
        "GET /v1/users": "ServerError",
        "GET /v1/clients": "UndefinedStatusCode",
        "GET /sojourn/v1/policy": "JsonSchemaError",
    }, printed


@contextmanager
def serving_with(broken: dict[str, Any]) -> Generator[str]:
    """A server in a thread, in which some operations have another handler. Gives its URL."""
    config = Config(database_url="memory://", secret_key=(SECRET,))
    app = App(opener=lambda: Sojourn.open(config=config))
    documented = [operation for operation in app._table.operations if operation not in OPERATIONS]
    app._table = Table(
        [*documented, *(replace(o, handler=broken.get(o.name, o.handler)) for o in OPERATIONS)]
    )
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
