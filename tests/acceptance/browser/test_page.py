"""The unmodified browser SDK against a real server, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.acceptance.browser.driver import Application, Device, device, eventually, sign_in, state
from tests.acceptance.browser.site import Site

TOKEN = "() => Clerk.session.getToken()"
CLAIMS = """async () => JSON.parse(atob((await Clerk.session.getToken({skipCache: true})).split('.')[1]
    .replace(/-/g, '+').replace(/_/g, '/')))"""


def refused(page: Page, ticket: str) -> str:
    """Sign in by a ticket that is refused; the code."""
    return page.evaluate(
        """(ticket) => Clerk.client.signIn.create({ strategy: 'ticket', ticket })
        .then(() => 'signed in', (error) => error.errors[0].code)""",
        ticket,
    )


def test_a_ticket_signs_in(laptop: Device, application: Application) -> None:
    """The page loads, signs in by a ticket, and knows user, session and token after a reload too."""
    page = laptop.tab()
    nobody = {"user": None, "session": None, "organization": None, "status": "ready", "sessions": []}
    assert state(page) == nobody
    user = application.user(first_name="Ada")
    session = sign_in(page, application.ticket(user)["token"])
    signed_in = {**nobody, "user": user, "session": session, "sessions": [session]}
    assert state(page) == signed_in
    token = page.evaluate(TOKEN)
    verified = application.call("POST", f"/v1/sessions/{session}/verify", token=token)
    assert verified["status"] == "active"
    page.reload()
    page.evaluate("window.loaded")
    assert state(page) == signed_in
    assert page.evaluate("Clerk.user.firstName") == "Ada"


def test_cookies_of_a_page_that_is_signed_in(laptop: Device, application: Application) -> None:
    """Every cookie is there once, and scripts cannot read the credential (C-08)."""
    page = laptop.tab()
    sign_in(page, application.ticket(application.user())["token"])
    page.evaluate(TOKEN)
    eventually(lambda: "__session" in laptop.cookies())
    found = laptop.cookies()
    credential = found["__client"]
    assert (credential["httpOnly"], credential["sameSite"], credential["secure"]) == (True, "Lax", False)
    assert (credential["domain"], credential["path"]) == ("localhost", "/")
    twins = [name for name in found if name.startswith("__client_uat")]
    assert len(twins) == 2
    assert {found[name]["value"] for name in twins} != {"0"}
    assert len({found[name]["value"] for name in twins}) == 1
    assert "__client=" not in page.evaluate("document.cookie")
    page.evaluate("Clerk.signOut()")
    left = laptop.cookies()
    assert {left[name]["value"] for name in twins} == {"0"}
    assert "__session" not in left


def test_two_users_on_one_client(laptop: Device, application: Application) -> None:
    """A second sign-in leaves the first one standing; the page switches between them, also over a reload."""
    page = laptop.tab()
    users = [application.user(), application.user()]
    sessions = [sign_in(page, application.ticket(user)["token"]) for user in users]
    assert sorted(state(page)["sessions"]) == sorted(sessions)
    assert state(page)["user"] == users[1]
    page.evaluate("(id) => Clerk.setActive({ session: id })", sessions[0])
    assert state(page)["user"] == users[0]
    assert page.evaluate(CLAIMS)["sub"] == users[0]
    page.reload()
    page.evaluate("window.loaded")
    assert state(page)["user"] == users[0]


def test_switching_organizations(laptop: Device, application: Application) -> None:
    """setActive puts an organization into session, page and token, by its id or slug, and takes it out."""
    page = laptop.tab()
    user = application.user()
    first = application.organization(user, "First", slug="first")
    second = application.organization(user, "Second", slug="second")
    sign_in(page, application.ticket(user)["token"])
    for chosen, known in ((first, first), ("second", second), (None, None)):
        page.evaluate("(organization) => Clerk.setActive({ organization })", chosen)
        assert state(page)["organization"] == known
        assert page.evaluate(CLAIMS).get("o", {}).get("id") == known
    page.evaluate("(organization) => Clerk.setActive({ organization })", first)
    page.reload()
    page.evaluate("window.loaded")
    assert state(page)["organization"] == first
    memberships = page.evaluate(
        "Clerk.user.getOrganizationMemberships().then((page) => page.data.map((m) => m.organization.id))"
    )
    assert sorted(memberships) == sorted([first, second])


def test_devices_of_a_user(laptop: Device, browser: Browser, site: Site, application: Application) -> None:
    """The user sees the session on another device and ends it; that page is signed out at its next call."""
    user = application.user()
    page = laptop.tab()
    here = sign_in(page, application.ticket(user)["token"])
    with device(browser, site) as phone:
        other = phone.tab()
        there = sign_in(other, application.ticket(user)["token"])
        assert here != there
        listed = page.evaluate(
            """async () => (await Clerk.user.getSessions()).map(({ id, latestActivity: seen }) =>
            [id, seen.browserName, seen.ipAddress])"""
        )
        browser_name = listed[0][1]
        assert browser_name.startswith(("Chrom", "Headless"))
        assert sorted(listed) == sorted([[one, browser_name, "127.0.0.1"] for one in (here, there)])
        status = page.evaluate(
            """async (id) => {
              const all = await Clerk.user.getSessions()
              return (await all.find((one) => one.id === id).revoke()).status
            }""",
            there,
        )
        assert status == "revoked"
        assert other.evaluate("Clerk.session.getToken({skipCache: true}).catch((e) => e.status)") == 401
        eventually(lambda: state(other)["session"] is None)
    assert state(page)["session"] == here


def test_revoked_by_the_application(laptop: Device, application: Application) -> None:
    """A session that the application revokes is over in the page at its next call."""
    page = laptop.tab()
    session = sign_in(page, application.ticket(application.user())["token"])
    application.call("POST", f"/v1/sessions/{session}/revoke")
    assert page.evaluate("Clerk.session.getToken({skipCache: true}).catch((e) => e.status)") == 401
    eventually(lambda: state(page)["session"] is None)
    assert "__session" not in laptop.cookies()
    laptop.errors = [text for text in laptop.errors if "401" not in text]


def test_signing_out_of_one_of_two(laptop: Device, application: Application) -> None:
    """Signing out of one session leaves the other, in both tabs."""
    page = laptop.tab()
    first = sign_in(page, application.ticket(application.user())["token"])
    second = sign_in(page, application.ticket(application.user())["token"])
    other = laptop.tab()
    assert state(other)["session"] == second
    page.evaluate("(sessionId) => Clerk.signOut({ sessionId })", second)
    assert state(page)["sessions"] == [first]
    assert application.call("GET", f"/v1/sessions/{second}")["status"] == "removed"
    other.reload()
    other.evaluate("window.loaded")
    assert state(other)["session"] == first


def test_signing_out_of_all(laptop: Device, application: Application) -> None:
    """Signing out ends every session of the client and tells the other tab; the client itself stays."""
    page = laptop.tab()
    sessions = [sign_in(page, application.ticket(application.user())["token"]) for _ in range(2)]
    other = laptop.tab()
    assert state(other)["session"] == sessions[1]
    page.evaluate("Clerk.signOut()")
    assert state(page)["sessions"] == []
    eventually(lambda: state(other)["session"] is None)
    assert {application.call("GET", f"/v1/sessions/{one}")["status"] for one in sessions} == {"removed"}
    assert "__client" in laptop.cookies()


def test_tickets_that_are_refused(laptop: Device, application: Application) -> None:
    """A used, a revoked and a made-up ticket sign nobody in, and say why."""
    page = laptop.tab()
    used, revoked = (application.ticket(application.user()) for _ in range(2))
    sign_in(page, used["token"])
    page.evaluate("Clerk.signOut()")
    application.call("POST", f"/v1/sign_in_tokens/{revoked['id']}/revoke")
    assert refused(page, used["token"]) == "sign_in_token_already_used_code"
    assert refused(page, revoked["token"]) == "sign_in_token_revoked_code"
    assert refused(page, "nonsense") == "ticket_invalid_code"
    expired = application.ticket(application.user(), expires_in_seconds=1)
    eventually(lambda: refused(page, expired["token"]) == "ticket_expired_code", every=1.1, first=1.1)
    assert state(page)["sessions"] == []
    laptop.errors = [text for text in laptop.errors if "400" not in text]


def test_impersonation(laptop: Device, application: Application) -> None:
    """An actor token signs the actor in as the user; the page and the token name the actor, and nobody else
    signs in meanwhile."""
    page = laptop.tab()
    user = application.user()
    made = application.call(
        "POST", "/v1/actor_tokens", user_id=user, actor={"sub": "user_support"}, expires_in_seconds=600
    )
    before = laptop.cookies().get("__client")
    session = sign_in(page, made["token"])
    during = laptop.cookies()["__client"]
    assert before is None or before["value"] != during["value"]
    assert state(page)["session"] == session
    assert page.evaluate("Clerk.session.actor.sub") == "user_support"
    assert page.evaluate(CLAIMS)["act"] == {"sub": "user_support"}
    assert refused(page, application.ticket(application.user())["token"]) == "session_creation_not_allowed"
    page.evaluate("Clerk.signOut()")
    assert laptop.cookies()["__client"]["value"] != during["value"]
    assert sign_in(page, application.ticket(application.user())["token"])
    laptop.errors = [text for text in laptop.errors if "409" not in text]


def test_a_token_is_renewed_in_the_background(laptop: Device, application: Application) -> None:
    """Without being asked the page asks for a new token before the one that it has runs out."""
    page = laptop.tab()
    session = sign_in(page, application.ticket(application.user())["token"])
    seen = len(laptop.requests)
    first = page.evaluate(TOKEN)
    assert len(laptop.requests) == seen, "the token came with the sign-in"
    page.clock.install()
    page.evaluate("Clerk.session.getToken({skipCache: true})")
    page.clock.fast_forward(56_000)
    eventually(lambda: sum(f"/sessions/{session}/tokens" in one for one in laptop.requests) >= 2)
    assert page.evaluate(TOKEN) != first


def test_a_page_of_another_origin_gets_nothing(laptop: Device, application: Application) -> None:
    """The control: a page that is not allowed cannot read what the service answers."""
    page = laptop.tab()
    sign_in(page, application.ticket(application.user())["token"])
    elsewhere = laptop.context.new_page()
    elsewhere.route(
        "http://elsewhere.test/", lambda route: route.fulfill(body="<p>", content_type="text/html")
    )
    elsewhere.goto("http://elsewhere.test/")
    with pytest.raises(Error, match="Failed to fetch"):
        elsewhere.evaluate(
            "(url) => fetch(url, { credentials: 'include' })", f"{laptop.site.proxy_url}/v1/client"
        )
