"""The official Python SDK, unmodified, against a real server: every operation, sync and async."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from clerk_backend_api import Clerk, models
from clerk_backend_api.security import authenticate_request, verify_token
from clerk_backend_api.security.types import (
    AuthenticateRequestOptions,
    TokenVerificationError,
    VerifyTokenOptions,
)
from clerk_backend_api.utils import BackoffStrategy, RetryConfig
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support import Server, serving

# Some operations are deprecated upstream, and the SDK says so at each call.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NO_RETRY = RetryConfig("none", BackoffStrategy(1, 1, 1, 1), False)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the file, on each of the stores."""
    chosen = {}
    if request.param == "postgres":
        chosen = {"SOJOURN_DATABASE_URL": request.getfixturevalue("databases").new()}
    with serving(tmp_path_factory.mktemp("python-sdk"), **chosen) as running:
        yield running


class Sdk:
    """The SDK in one of its two forms: `await sdk("users.create", …)` calls the method of that form."""

    def __init__(self, server: Server, form: str, secret: str | None = None) -> None:
        self.clerk = Clerk(
            bearer_auth=secret or server.secret_key, server_url=f"{server.url}/v1", retry_config=NO_RETRY
        )
        self.suffix = "_async" if form == "async" else ""

    async def __call__(self, name: str, /, **arguments: Any) -> Any:
        """Call `group.method`, in the form of this SDK."""
        group, method = name.split(".")
        result = getattr(getattr(self.clerk, group), method + self.suffix)(**arguments)
        return await result if inspect.isawaitable(result) else result

    async def user(self) -> str:
        """A new user's id."""
        return (await self("users.create", skip_password_requirement=True)).id

    async def session(self, user_id: str | None = None) -> Any:
        """A new session."""
        return await self("sessions.create", request={"user_id": user_id or await self.user()})


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Sdk]:
    """The SDK in both of its forms."""
    made = Sdk(server, request.param)
    async with made.clerk:
        with made.clerk:
            yield made


def code_of(error: pytest.ExceptionInfo[models.ClerkErrors]) -> str:
    """The code of the first error."""
    return error.value.data.errors[0].code


async def test_session_from_creation_to_revocation(sdk: Sdk) -> None:
    """A session is created active, read back equal, and stays revoked however often it is revoked."""
    session = await sdk.session()
    assert (session.status, session.object) == ("active", "session")
    assert session.expire_at - session.created_at == 7 * 86_400_000
    assert await sdk("sessions.get", session_id=session.id) == session
    revoked = await sdk("sessions.revoke", session_id=session.id)
    assert revoked.status == "revoked"
    assert await sdk("sessions.revoke", session_id=session.id) == revoked


async def test_lists_filter_and_page(sdk: Sdk) -> None:
    """The list is newest first and honours user, client, status, limit and offset."""
    user = await sdk.user()
    made = [await sdk.session(user) for _ in range(5)]
    await sdk("sessions.revoke", session_id=made[1].id)

    async def ids(**query: Any) -> list[str]:
        return [s.id for s in await sdk("sessions.list", user_id=user, **query)]

    newest = [s.id for s in reversed(made)]
    assert await ids() == newest
    assert await ids(limit=2, offset=1) == newest[1:3]
    assert await ids(status="revoked") == [made[1].id]
    assert await ids(status="active") == [i for i in newest if i != made[1].id]
    assert await ids(client_id=made[3].client_id) == [made[3].id]


async def test_clients_show_their_sessions(sdk: Sdk) -> None:
    """A session's client is found by id and in the list, and holds the session."""
    session = await sdk.session()
    client = await sdk("clients.get", client_id=session.client_id)
    assert client.session_ids == [session.id]
    assert client.sessions[0] == session
    assert client.last_active_session_id == session.id
    assert client in await sdk("clients.list", limit=100)


async def test_users_live_and_end(sdk: Sdk) -> None:
    """Users are created, read, listed, banned and deleted; a ban and a deletion end every session."""
    user = await sdk(
        "users.create", external_id=f"ext-{time.time_ns()}", email_address=[f"a{time.time_ns()}@x.org"]
    )
    assert (await sdk("users.get", user_id=user.id)).external_id == user.external_id
    assert user.id in [u.id for u in await sdk("users.list", request={"limit": 100})]
    sessions = [await sdk.session(user.id) for _ in range(3)]
    assert (await sdk("users.ban", user_id=user.id)).banned is True
    assert {s.status for s in await sdk("sessions.list", user_id=user.id)} == {"revoked"}
    assert (await sdk("users.unban", user_id=user.id)).banned is False
    assert (await sdk("sessions.get", session_id=sessions[0].id)).status == "revoked"
    again = await sdk.session(user.id)
    assert (await sdk("users.delete", user_id=user.id)).deleted is True
    assert (await sdk("sessions.get", session_id=again.id)).status == "revoked"
    with pytest.raises(models.ClerkErrors) as error:
        await sdk("users.get", user_id=user.id)
    assert code_of(error) == "resource_not_found"


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("sessions.get", {"session_id": "sess_none"}, "resource_not_found"),
        ("sessions.revoke", {"session_id": "sess_none"}, "resource_not_found"),
        ("sessions.create_token", {"session_id": "sess_none"}, "resource_not_found"),
        ("sessions.create", {"request": {"user_id": "user_none"}}, "resource_not_found"),
        ("sessions.list", {"limit": 501}, "form_param_value_invalid"),
        ("clients.get", {"client_id": "client_none"}, "resource_not_found"),
        ("users.get", {"user_id": "user_none"}, "resource_not_found"),
        ("users.delete", {"user_id": "user_none"}, "resource_not_found"),
        ("users.create", {"password": "long enough 123"}, "form_param_value_invalid"),
    ],
)
async def test_errors_are_typed(sdk: Sdk, name: str, arguments: dict[str, Any], code: str) -> None:
    """Every error arrives as the SDK's own type with the published code."""
    with pytest.raises(models.ClerkErrors) as error:
        await sdk(name, **arguments)
    assert code_of(error) == code


async def test_wrong_key_is_refused_everywhere(server: Server) -> None:
    """Another secret key gets 401 clerk_key_invalid."""
    for name, arguments in (("sessions.list", {}), ("users.list", {"request": {}})):
        stranger = Sdk(server, "sync", "sk_test_00000000000000000000000000000000")
        with stranger.clerk, pytest.raises(models.ClerkErrors) as error:
            await stranger(name, **arguments)
        assert code_of(error) == "clerk_key_invalid"


async def pem_of(sdk: Sdk) -> str:
    """The server's public key, from the key set that the SDK reads."""
    (key,) = (await sdk("jwks.get_jwks")).keys
    found = {name: value for name, value in key if value is not None} if not isinstance(key, dict) else key
    number = {n: int.from_bytes(__import__("base64").urlsafe_b64decode(found[n] + "=="), "big") for n in "ne"}
    public = rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def test_tokens_verify(sdk: Sdk, server: Server) -> None:
    """A minted token verifies by the key set and by the PEM, and authenticates a request."""
    session = await sdk.session()
    token = (await sdk("sessions.create_token", session_id=session.id)).jwt
    longer = (await sdk("sessions.create_token", session_id=session.id, expires_in_seconds=120)).jwt
    online = VerifyTokenOptions(secret_key=server.secret_key, api_url=server.url)
    pem = await pem_of(sdk)
    claims = verify_token(token, online)
    assert (claims["sid"], claims["sub"], claims["v"]) == (session.id, session.user_id, 2)
    assert claims["exp"] - claims["iat"] == 60
    assert verify_token(token, VerifyTokenOptions(jwt_key=pem)) == claims
    other = verify_token(longer, online)
    assert other["exp"] - other["iat"] == 120
    assert other["jti"] != claims["jti"]
    request = httpx.Request("GET", "http://app.test/", headers={"Authorization": f"Bearer {token}"})
    assert authenticate_request(request, AuthenticateRequestOptions(jwt_key=pem)).is_signed_in
    nobody = httpx.Request("GET", "http://app.test/")
    assert not authenticate_request(nobody, AuthenticateRequestOptions(jwt_key=pem)).is_signed_in
    with pytest.raises(TokenVerificationError):
        verify_token(token[:-6] + "AAAAAA", VerifyTokenOptions(jwt_key=pem))


async def test_ended_sessions_get_no_token(sdk: Sdk) -> None:
    """After a revocation the token request answers the typed 404."""
    session = await sdk.session()
    await sdk("sessions.revoke", session_id=session.id)
    with pytest.raises(models.ClerkErrors) as error:
        await sdk("sessions.create_token", session_id=session.id)
    assert code_of(error) == "resource_not_found"
    with pytest.raises(models.ClerkErrors):
        await sdk("sessions.create_token_from_template", session_id=session.id, template_name="none")
