"""An application that renders its pages on the server with the unmodified @clerk/backend, in a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from sojourn.service.instance import publishable_key
from tests.acceptance.browser.driver import WAIT_MS, Application, chromium, eventually
from tests.conftest import require_tool
from tests.support import Server, free_port, serving

NODE = Path(__file__).parent.parent / "node"
PRODUCTION = publishable_key("clerk.example.test")
DEVELOPMENT = PRODUCTION.replace("live", "test")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """The browser."""
    with chromium() as made:
        yield made


@contextmanager
def rendered(
    server: Server, *, host: str = "localhost", port: int = 0, loses: str = "", **options: Any
) -> Generator[str]:
    """The application; its address."""
    require_tool("node", shutil.which("node"), "install Node 20 or newer")
    require_tool("@clerk/backend", (NODE / "node_modules/@clerk/backend").exists(), "run `make setup`")
    environment = {
        "PATH": os.environ["PATH"],
        "CLERK_SECRET_KEY": server.secret_key,
        "CLERK_PUBLISHABLE_KEY": server.publishable_key,
        "CLERK_API_URL": server.url,
        "CLERK_PROXY_URL": server.url.replace("127.0.0.1", "localhost"),
        "PAGE_PORT": str(port),
        "PAGE_OPTIONS": json.dumps(options),
        "PAGE_LOSES": loses,
    }
    process = subprocess.Popen(
        ["node", "pages.mjs"], cwd=NODE, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://{host}:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def visiting(browser: Browser) -> Generator[tuple[BrowserContext, Page]]:
    """A browser profile with one tab."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    try:
        yield context, page
    finally:
        context.close()


def signed_in(server: Server, context: BrowserContext, origin: str) -> str:
    """Sign a new user in as a page of that origin would; the id of the session."""
    application = Application(server)
    ticket = application.ticket(application.user())["token"]
    application.close()
    response = context.request.post(
        server.url.replace("127.0.0.1", "localhost") + "/v1/client/sign_ins",
        form={"strategy": "ticket", "ticket": ticket},
        headers={"Origin": origin},
    )
    assert response.ok, response.text()
    return response.json()["response"]["created_session_id"]


def shown(page: Page, url: str) -> Any:
    """What the application says at an address."""
    page.goto(url)
    return json.loads(page.inner_text("body"))


def handshakes(server: Server) -> int:
    """How many handshakes there were so far."""
    return server.log.read_text().count("/v1/client/handshake 307")


def test_handshake_and_refresh(browser: Browser, tmp_path: Path) -> None:
    """The first visit goes round by a handshake, and the address stays as it was; later ones do not, also
    when the token has run out: it is refreshed behind the page."""
    short = {"SOJOURN_POLICY_TOKEN_LIFETIME_SECONDS": "3", "SOJOURN_LOG_LEVEL": "debug"}
    with (
        serving(tmp_path, SOJOURN_PUBLISHABLE_KEY=PRODUCTION, **short) as server,
        rendered(server, clockSkewInMs=1) as url,
        visiting(browser) as (context, page),
    ):
        assert shown(page, url)["status"] == "signed-out"
        session = signed_in(server, context, url)
        first = shown(page, f"{url}/page?a=b")
        assert (first["status"], first["sessionId"]) == ("signed-in", session)
        assert page.url == f"{url}/page?a=b"
        assert handshakes(server) == 1
        before = next(c for c in context.cookies() if c.get("name") == "__session")
        eventually(lambda: "/refresh 200" in _visited(server, page, url), every=0.5)
        assert shown(page, url)["sessionId"] == session
        after = next(c for c in context.cookies() if c.get("name") == "__session")
        assert before.get("value") != after.get("value")
        assert handshakes(server) == 1
        names = [cookie.get("name") for cookie in context.cookies()]
        assert len(names) == len(set(names)), "a cookie is there twice"


def _visited(server: Server, page: Page, url: str) -> str:
    assert shown(page, url)["status"] == "signed-in"
    return server.log.read_text()


def test_development_with_a_token(browser: Browser, tmp_path: Path) -> None:
    """With a pk_test_ key the first visit makes a development browser known; a session reaches the page."""
    with (
        serving(tmp_path, SOJOURN_PUBLISHABLE_KEY=DEVELOPMENT, SOJOURN_LOG_LEVEL="debug") as server,
        rendered(server) as url,
        visiting(browser) as (context, page),
    ):
        session = signed_in(server, context, url)
        found = shown(page, f"{url}/page?a=b")
        assert (found["status"], found["sessionId"]) == ("signed-in", session)
        assert page.url == f"{url}/page?a=b"


def test_a_loop_ends_c16(browser: Browser, tmp_path: Path) -> None:
    """C-16: an application that no handshake ever reaches does not send the browser round for ever: after
    three times it says that nobody is signed in."""
    with (
        serving(tmp_path, SOJOURN_PUBLISHABLE_KEY=PRODUCTION, SOJOURN_LOG_LEVEL="debug") as server,
        rendered(server, loses="__clerk_handshake_nonce") as url,
        visiting(browser) as (context, page),
    ):
        signed_in(server, context, url)
        found = shown(page, url)
        assert (found["status"], found["reason"]) == ("signed-out", "client-uat-but-no-session-token")
        assert handshakes(server) == 3


def test_a_satellite(browser: Browser, tmp_path: Path) -> None:
    """An application on another site finds the user signed in who did so on the first one."""
    port = free_port()
    satellite = f"http://127.0.0.1:{port}"
    listed = {"SOJOURN_ALLOWED_ORIGINS": "http://localhost:1", "SOJOURN_SATELLITE_ORIGINS": satellite}
    options = {"isSatellite": True, "satelliteAutoSync": True, "domain": f"127.0.0.1:{port}"}
    with (
        serving(tmp_path, SOJOURN_PUBLISHABLE_KEY=PRODUCTION, SOJOURN_LOG_LEVEL="debug", **listed) as server,
        rendered(server, host="127.0.0.1", port=port, signInUrl="http://localhost:1/", **options) as url,
        visiting(browser) as (context, page),
    ):
        assert shown(page, url)["status"] == "signed-out"
        context.clear_cookies()
        session = signed_in(server, context, "http://localhost:1")
        found = shown(page, f"{url}/page")
        assert (found["status"], found["sessionId"]) == ("signed-in", session)
        assert "__clerk_synced=true" in page.url
