"""Every answer of the Frontend API against the published descriptions of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core.session import Activity
from sojourn.http.frontend import OPERATIONS, views
from sojourn.http.frontend.calls import FrontOperation
from sojourn.service.users import NewContact, NewUser
from tests.embedded import opened, reuse_one_key
from tests.http.frontend.browsers import PAGE, Browser, browsing
from tests.http.frontend.conftest import SETTINGS
from tests.published import FRONTEND_VERSIONS, Specification, parsed, specification

SERVED = {operation.name: operation for operation in OPERATIONS}
UNPUBLISHED = {"touchClient": "the browser SDK goes there; nothing described has it"}
ERRORS_BEYOND: dict[tuple[str, int], str] = {
    ("touchSession", 415): "any body may be declared as something strange",
    ("createSignIn", 413): "a limit of the transport",
    ("getClient", 405): "a rule of the transport",
    ("getHealth", 405): "the same",
    ("getHealth", 503): "in the shape of all errors, where the description has one of its own",
    ("putClient", 405): "a rule of the transport",
    ("acceptTicket", 422): "what is missing is a 422 everywhere",
}
"""Errors whose status the description of their operation does not have, with the reason."""

BETTER = {"createSessionToken": "Token", "createSessionTokenWithTemplate": "Token"}
"""Where the answer is described in place, without the member `object` that the named schema has."""


class Front:
    """Calls operations of the Frontend API by name, and checks what they answer."""

    def __init__(self, published: Specification, sojourn: Sojourn, browser: Browser) -> None:
        self.published = published
        self.sojourn = sojourn
        self.browser = browser
        self.answered: set[str] = set()

    async def call(self, name: str, *ids: str, status: int = 200, query: str = "", **request: Any) -> Any:
        """The body of an answer with this status, as it is described."""
        operation = SERVED[name]
        path = operation.path
        for value in ids:
            path = path[: path.index("{")] + value + path[path.index("}") + 1 :]
        query = f"?__clerk_api_version={self.published.version}{query}"
        response = await self.browser.send(operation.method, path + query, **request)
        assert response.status_code == status, response.text
        self._check(operation, response)
        if status == 200:
            self.answered.add(name)
        return parsed(response.content) if response.content else None

    def _check(self, operation: FrontOperation, response: httpx.Response) -> None:
        described = self.published.operations.get((operation.method, operation.path))
        assert (described is None) is (operation.name in UNPUBLISHED), operation.name
        status = response.status_code
        if status in (303, 307):
            self.answered.add(operation.name)
            return
        body = parsed(response.content)
        if described is None or status not in described.bodies:
            assert (operation.name, status) in ERRORS_BEYOND, f"{operation.name} answers {status}"
            assert self.published.complaints("ClerkErrors", body) == []
            return
        assert described.name == operation.name
        schema = described.bodies[status] if status != 200 else BETTER.get(operation.name)
        assert self.published.complaints(schema or described.bodies[status], body) == []


@asynccontextmanager
async def fronting(version: str) -> AsyncGenerator[Front]:
    """A browser whose every answer is checked."""
    async with opened(**SETTINGS) as sojourn, browsing(sojourn) as browser:  # pyright: ignore[reportArgumentType]
        yield Front(specification(version, "fapi"), sojourn, browser)


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


async def everything(front: Front) -> None:
    """Every operation, in every form of its success, and the errors that pages meet."""
    sojourn = front.sojourn
    await front.call("getEnvironment")
    await front.call("updateEnvironment")
    await front.call("getHealth")
    await front.call("getOpenIDConfiguration")
    await front.call("getClient")
    await front.call("putClient")
    await front.call("postClient")
    await front.call("removeClientSessionsAndRetainCookie")
    await front.call("createSignIn", status=422, data={"strategy": "password"})
    await front.call("createSignIn", status=422, data={"strategy": "ticket"})
    await front.call("createSignIn", status=400, data={"ticket": "nonsense"})
    user = await _somebody(sojourn)
    organization = await sojourn.organizations.create(name="One", slug="one", created_by=user)
    session = await _sign_in(front, user)
    await _sign_in(front, (await sojourn.users.ensure(external_id="another")).id)
    await front.call("getSignIn", session.replace("sess_", "sia_"))
    await front.call("getSignIn", "sia_none", status=404)
    await front.call("getClient")
    await front.call("getSession", session)
    await front.call("getSession", "sess_none", status=404)
    await front.call("touchSession", session, data={"active_organization_id": "one", "intent": "select_org"})
    await front.call("touchSession", session, status=404, data={"active_organization_id": "two"})
    await front.call("touchSession", session, status=415, content=b"x", headers={"Content-Type": "text/html"})
    await front.call("touchSession", "sess_none", status=401)
    await front.call("createSessionToken", session)
    await front.call("createSessionToken", "sess_none", status=401)
    await front.call("createSessionTokenWithTemplate", session, "none", status=404)
    await sojourn.templates.create(name="backend", claims={"who": "{{user.id}}"})
    await front.call("createSessionTokenWithTemplate", session, "backend")
    await _me(front, session, user, organization.id)
    await front.call("acceptTicket", query="&ticket=a.b.c", status=303)
    await front.call("acceptTicket", status=422)
    await front.call("handshakeClient", query=f"&redirect_url={PAGE}/&format=nonce", status=307)
    await front.call("handshakeClient", query=f"&redirect_url={PAGE}/&format=token", status=400)
    await front.call("handshakeClient", query=f"&redirect_url={PAGE}/&format=x", status=422)
    await front.call("syncClient", query=f"&redirect_url={PAGE}/", status=307)
    await front.call("syncClient", query="&redirect_url=https://evil.test/", status=400)
    await front.call("touchClient", query=f"&redirect_url={PAGE}/", status=307)
    await front.call("endSession", session)
    await front.call("endSession", "sess_none", status=404)
    await front.call("getSession", session)
    await front.call("removeSession", await _sign_in(front, user))
    await _sign_in(front, user)
    await front.call("removeClientSessionsAndRetainCookie")
    await front.call("deleteClientSessions")
    await front.call("deleteClientSessions")
    await front.call("getUser", status=401)


async def _me(front: Front, session: str, user: str, organization_id: str) -> None:
    sojourn = front.sojourn
    await sojourn.sessions.create(
        user_id=user, activity=Activity(id="sess_activity_1", is_mobile=True, city="Reims"), tasks=["mfa"]
    )
    mine = f"&_clerk_session_id={session}"
    shown = await front.call("getUser", query=mine)
    assert shown["response"]["organization_memberships"][0]["organization"]["id"] == organization_id
    assert "secret" not in str(shown)
    await front.call("getUser", query="&_clerk_session_id=sess_none", status=401)
    await front.call("getUsersSessions", query=mine)
    listed = await front.call("getSessions", query=mine)
    assert listed[0]["latest_activity"]["city"] == "Reims"
    await front.call("getOrganizationMemberships", query=mine)
    await front.call("getOrganizationMemberships", query=f"{mine}&paginated=true&limit=1&offset=0")
    await front.call("getOrganizationMemberships", query=f"{mine}&limit=0", status=422)
    await front.call("revokeSession", listed[0]["id"], query=mine)
    await front.call("revokeSession", "sess_none", query=mine, status=404)
    ended = await sojourn.sessions.create(user_id=user)
    await sojourn.sessions.end(ended.id)
    await front.call("getUsersSessions", query=mine)


async def _somebody(sojourn: Sojourn) -> str:
    made = await sojourn.users.create(
        NewUser(
            external_id="42",
            username="ada",
            first_name="Ada",
            email_addresses=(
                NewContact(value="ada@example.test"),
                NewContact(value="b@x.org", verified=False),
            ),
            phone_numbers=(NewContact(value="+15550100"),),
            public_metadata={"plan": "pro"},
            private_metadata={"note": "secret"},
            unsafe_metadata={"theme": "dark"},
            create_organizations_limit=3,
        )
    )
    return made.id


async def _sign_in(front: Front, user: str) -> str:
    issued = await front.sojourn.tickets.create_sign_in_token(user_id=user)
    done = await front.call("createSignIn", data={"strategy": "ticket", "ticket": issued.token})
    return done["response"]["created_session_id"]


@pytest.mark.parametrize("version", FRONTEND_VERSIONS)
async def test_answers_are_as_published(version: str) -> None:
    """Every operation answers as its description has it, all that is described and nothing else."""
    async with fronting(version) as front:
        await everything(front)
    apart = {"getJWKS", "createDevBrowser"}
    assert front.answered == set(SERVED) - apart


@pytest.mark.parametrize("version", FRONTEND_VERSIONS)
async def test_another_answer_is_caught(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a member too many in a session is a complaint."""
    whole = views.session_base
    monkeypatch.setattr(views, "session_base", lambda *given: {**whole(*given), "more": 1})
    async with fronting(version) as front:
        with pytest.raises(AssertionError, match="more"):
            await everything(front)
