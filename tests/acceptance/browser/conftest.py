"""A browser, a server and a page for the tests of the browser SDK."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser

from sojourn.service.instance import publishable_key
from tests.acceptance.browser.driver import Application, Device, chromium, device
from tests.acceptance.browser.site import Site, page_site
from tests.support import Server, serving

PRODUCTION = publishable_key("clerk.example.test")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """The browser. Not for longer than these tests: Playwright's event loop runs in this thread as long as
    it is open, and would be in the way of all coroutine tests after them."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server with a production key, which pages of the loopback may call."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, SOJOURN_PUBLISHABLE_KEY=PRODUCTION, SOJOURN_LOG_LEVEL="debug") as made:
        yield made


@pytest.fixture(scope="module")
def site(server: Server) -> Generator[Site]:
    """The page, which calls the server by proxyUrl: the recommended local set-up."""
    proxy_url = server.url.replace("127.0.0.1", "localhost")
    with page_site(server.url, server.publishable_key, proxy_url=proxy_url) as made:
        yield made


@pytest.fixture
def application(server: Server) -> Generator[Application]:
    """The application behind the page."""
    made = Application(server)
    yield made
    made.close()


@pytest.fixture
def laptop(browser: Browser, site: Site, server: Server) -> Generator[Device]:
    """A browser of its own; nothing goes wrong in it, and it needs no preflight."""
    with device(browser, site) as made:
        yield made
        assert made.errors == []
        assert made.methods <= {"GET", "POST"}
        served = server.log.read_text()
        assert "/v1/environment 200" in served
        assert "OPTIONS" not in served
