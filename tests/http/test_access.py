"""Who may call what: secret keys, verifier keys, nobody."""

from __future__ import annotations

import httpx
import pytest

from sojourn import Sojourn
from sojourn.http.app import App
from sojourn.http.backend import OPERATIONS
from sojourn.http.routes import PUBLIC, VERIFIER, Operation
from tests.http.conftest import SECRET, check_answer, check_error, new_session
from tests.http.raw import send

GUARDED = [o for o in OPERATIONS if o.keys]


def request_of(operation: Operation) -> tuple[str, str]:
    """Method and path of an operation, with ids that nobody has."""
    return operation.method, operation.path.replace("{", "").replace("}", "")


@pytest.mark.parametrize("operation", GUARDED, ids=lambda o: o.name)
async def test_no_operation_without_a_key(anonymous: httpx.AsyncClient, operation: Operation) -> None:
    """Without a key, or with an unknown one, every guarded operation answers the code that SDKs look for."""
    for headers in ({}, {"Authorization": f"Bearer {SECRET[:-1]}x"}, {"Authorization": f"Bearer  {SECRET}"}):
        answer = await anonymous.request(*request_of(operation), headers=headers)
        check_error(answer, 401, "clerk_key_invalid")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", SECRET, f"bearer{SECRET}", f"Token {SECRET}"]
)
async def test_malformed_authorization(anonymous: httpx.AsyncClient, header: str) -> None:
    """What is not `Bearer <key>` has a code of its own."""
    answer = await anonymous.get("/v1/sessions", headers={"Authorization": header})
    check_error(answer, 401, "authorization_header_format_invalid")


async def test_keys_that_are_no_ascii(app: App) -> None:
    """Odd bytes in a key are an unknown key."""
    for key in (b"\xff" * 30, b"sk_\x00" + b"a" * 30, "sk_é".encode()):
        answer = await send(app, "GET", b"/v1/jwks", headers=((b"authorization", b"Bearer " + key),))
        assert (answer.status, answer.code) == (401, "clerk_key_invalid")


async def test_the_scheme_has_no_case(anonymous: httpx.AsyncClient) -> None:
    """`bearer` is as good as `Bearer` (RFC 9110 section 11.1)."""
    check_answer(await anonymous.get("/v1/sessions", headers={"Authorization": f"bEARER {SECRET}"}))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)
async def test_where_a_verifier_key_is_allowed(
    anonymous: httpx.AsyncClient, verifier: dict[str, str], operation: Operation
) -> None:
    """A verifier key reads the public keys and nothing else."""
    answer = await anonymous.request(*request_of(operation), headers=verifier)
    if operation.keys in (VERIFIER, PUBLIC):
        check_answer(answer)
    else:
        check_error(answer, 403, "authorization_invalid")


def test_what_is_open() -> None:
    """Only the key set is open to verifier keys and to the public."""
    assert {o.name for o in OPERATIONS if o.keys == VERIFIER} == {"GetJWKS"}
    assert {o.name for o in OPERATIONS if o.keys == PUBLIC} == {"GetPublicJWKS"}


async def test_access_comes_before_everything_else(anonymous: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Without a key nobody learns whether an id exists or a body is valid, and nothing happens."""
    session = await new_session(sojourn)
    for path, content in [
        (f"/v1/sessions/{session.id}/revoke", b""),
        ("/v1/sessions/sess_none/revoke", b""),
        ("/v1/sessions", b"{"),
        ("/v1/users", b"x" * 2_000_000),
    ]:
        answer = await anonymous.post(path, content=content, headers={"Clerk-API-Version": "x"})
        check_error(answer, 401, "clerk_key_invalid")
    assert (await sojourn.sessions.get(session.id)).live
