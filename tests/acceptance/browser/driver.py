"""A real browser with pages of the browser SDK in it, and whoever stands behind the application."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.acceptance.browser.site import DIST, Site
from tests.conftest import require_tool
from tests.support import Server

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # With navigator.webdriver the SDK counts itself offline (wire/frontend-api.md section 9).
    "--disable-blink-features=AutomationControlled",
]
WAIT_MS = 20_000


@contextmanager
def chromium(*arguments: str) -> Generator[Browser]:
    """Debian's browser, never one that Playwright would fetch."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    require_tool("chromium", found, "apt-get install chromium")
    require_tool("@clerk/clerk-js", DIST.exists(), "run `make setup`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Device:
    """One browser profile: cookies of its own, tabs that share them."""

    context: BrowserContext
    site: Site
    errors: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    def tab(self, path: str = "/") -> Page:
        """A new tab whose SDK has loaded."""
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        page.goto(self.site.url + path)
        page.evaluate("window.loaded")
        return page

    def cookies(self) -> dict[str, Any]:
        """Every cookie by its name. A name that is there twice is an error."""
        found: dict[str, Any] = {}
        for cookie in self.context.cookies():
            assert cookie.get("name") not in found, f"{cookie.get('name')} is there twice"
            found[cookie.get("name", "")] = cookie
        return found

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if "/v1/" in request.url:
            self.methods.add(request.method)
            self.requests.append(f"{request.method} {request.url}")


@contextmanager
def device(browser: Browser, site: Site, **options: Any) -> Generator[Device]:
    """A device, forgotten at the end."""
    context = browser.new_context(**options)
    made = Device(context, site)
    try:
        yield made
    finally:
        context.close()


class Application:
    """The application behind the page: it knows its users and asks the Backend API."""

    def __init__(self, server: Server) -> None:
        self._http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.secret_key}"}, timeout=20
        )

    def call(self, method: str, path: str, **json: Any) -> Any:
        """One call of the Backend API that succeeds."""
        response = self._http.request(method, path, json=json or None)
        assert response.status_code == 200, response.text
        return response.json()

    def user(self, **members: Any) -> str:
        """A new user's id."""
        return self.call("POST", "/v1/users", **members)["id"]

    def ticket(self, user_id: str, **members: Any) -> Any:
        """A new sign-in token: `id`, `token`, `url`."""
        return self.call("POST", "/v1/sign_in_tokens", user_id=user_id, **members)

    def organization(self, user_id: str, name: str, **members: Any) -> str:
        """A new organization of the user; its id."""
        return self.call("POST", "/v1/organizations", name=name, created_by=user_id, **members)["id"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


SIGN_IN = """async (ticket) => {
  const done = await Clerk.client.signIn.create({ strategy: 'ticket', ticket })
  await Clerk.setActive({ session: done.createdSessionId })
  return done.createdSessionId
}"""


def sign_in(page: Page, ticket: str) -> str:
    """Sign in by a ticket as applications do; the id of the session."""
    return page.evaluate(SIGN_IN, ticket)


def state(page: Page) -> Any:
    """Who is signed in in a tab."""
    return page.evaluate(
        """() => ({ user: Clerk.user?.id ?? null, session: Clerk.session?.id ?? null,
        organization: Clerk.organization?.id ?? null, status: Clerk.status,
        sessions: (Clerk.client?.signedInSessions ?? []).map((s) => s.id) })"""
    )


def eventually(met: Callable[[], bool], *, every: float = 0.05, first: float = 0.0) -> None:
    """Wait until something is so; fail when it takes twenty seconds."""
    time.sleep(first)
    deadline = time.monotonic() + WAIT_MS / 1000
    while not met():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(every)
