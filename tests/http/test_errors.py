"""Every error has the documented shape, a code that programs can tell, and the name of what is wrong."""

from __future__ import annotations

import json

import httpx
import pytest

from sojourn import Sojourn
from sojourn.http.app import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL, App
from sojourn.http.backend import OPERATIONS
from sojourn.http.routes import BODY_LIMIT, METADATA_LIMIT
from sojourn.http.wire import MAX_DEPTH
from tests.embedded import user_id
from tests.http.conftest import SECRET, check_answer, check_error, new_session
from tests.http.raw import send

BEARER = (b"authorization", f"Bearer {SECRET}".encode())
JSON = (b"content-type", b"application/json")
POSTS = sorted({o.path for o in OPERATIONS if o.method == "POST"})
WITH_METADATA = (
    "/v1/users",
    "/v1/organizations",
    "/v1/organizations/{organization_id}/memberships",
)


def filled(path: str) -> str:
    """A path with ids that nobody has."""
    return (
        path.replace("{session_id}", "sess_x").replace("{user_id}", "user_x").replace("{template_name}", "t")
    )


@pytest.mark.parametrize(
    "path",
    ["/", "", "/v1", "/v1/", "/v2/sessions", "/v1/sessions/", "/v1/sessions//tokens", "/v1/sessions/a/b/c/d",
     "/v1/Sessions", "//v1/sessions", "/v1/sessions/../users", "/.well-known", "/favicon.ico",
     "/v1/%73essions/x/y"],
)  # fmt: skip
async def test_unknown_routes(anonymous: httpx.AsyncClient, app: App, path: str) -> None:
    """What is not served answers 404 in the documented shape, with or without a key."""
    for headers in ((), (BEARER,)):
        answer = await send(app, "GET", path.encode(), headers=headers)
        assert (answer.status, answer.code) == (404, "resource_not_found")
        assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/sessions", "GET, POST"),
        ("DELETE", "/v1/sessions/sess_x", "GET"),
        ("GET", "/v1/sessions/sess_x/revoke", "POST"),
        ("HEAD", "/v1/sessions/sess_x/revoke", "POST"),
        ("PUT", "/v1/users/user_x", "DELETE, GET, PATCH"),
        ("OPTIONS", "/v1/jwks", "GET"),
        ("POST", "/livez", "GET"),
        ("get", "/livez", "GET"),
        ("BREW", "/v1/users", "GET, POST"),
    ],
)
async def test_unknown_methods(app: App, method: str, path: str, allow: str) -> None:
    """A method that a path does not have answers 405 and says which ones it has."""
    answer = await send(app, method, path.encode(), headers=(BEARER,))
    assert answer.status == 405
    assert answer.headers[b"allow"] == allow.encode()
    if method != "HEAD":
        assert answer.code == "method_not_allowed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions/sess_x"),
        ("POST", "/v1/sessions/sess_x/revoke"),
        ("POST", "/v1/sessions/sess_x/tokens"),
        ("POST", "/v1/sessions/sess_x/tokens/mine"),
        ("GET", "/v1/clients/client_x"),
        ("GET", "/v1/users/user_x"),
        ("DELETE", "/v1/users/user_x"),
        ("POST", "/v1/users/user_x/ban"),
        ("POST", "/v1/users/user_x/unban"),
    ],
)
async def test_unknown_ids(http: httpx.AsyncClient, method: str, path: str) -> None:
    """An id that nobody has is named in the 404."""
    item = check_error(await http.request(method, path), 404, "resource_not_found")
    assert path.split("/")[3] in item["long_message"]


async def test_long_ids_are_clipped(http: httpx.AsyncClient) -> None:
    """What came from outside is quoted in part only."""
    item = check_error(await http.get("/v1/sessions/" + "x" * 5000), 404, "resource_not_found")
    assert len(item["long_message"]) < 200


async def test_creating_sessions_for_the_wrong_user(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Nobody, a banned user, an organization that is not there."""
    check_error(await http.post("/v1/sessions", json={"user_id": "user_x"}), 404, "resource_not_found")
    user = await user_id(sojourn)
    body = {"user_id": user, "active_organization_id": "org_x"}
    check_error(await http.post("/v1/sessions", json=body), 404, "resource_not_found")
    await sojourn.users.ban(user)
    check_error(await http.post("/v1/sessions", json={"user_id": user}), 403, "user_banned")


async def test_a_template_that_is_not_there(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A token from it answers 404 naming the template, for a session that is there."""
    session = await new_session(sojourn)
    answer = await http.post(f"/v1/sessions/{session.id}/tokens/my%20own")
    assert "my own" in check_error(answer, 404, "resource_not_found")["long_message"]


async def test_verifying_tokens(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A bad token is 400, another session's token and an ended session are 404."""
    mine, other = await new_session(sojourn), await new_session(sojourn)
    token = await sojourn.tokens.create(mine.id)
    url = f"/v1/sessions/{mine.id}/verify"
    check_error(await http.post(url), 422, "form_param_missing", "token")
    check_error(await http.post(url, json={"token": ""}), 422, "form_param_value_invalid", "token")
    check_error(await http.post(url, json={"token": "a.b.c"}), 400, "invalid_session_token")
    wrong = await http.post(f"/v1/sessions/{other.id}/verify", json={"token": token})
    check_error(wrong, 404, "resource_not_found")
    await sojourn.sessions.end(mine.id)
    check_error(await http.post(url, json={"token": token}), 404, "resource_not_found")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=9999999999999999999", "offset"),
        ("offset=0x1", "offset"),
        ("paginated=1", "paginated"),
        ("paginated=TRUE", "paginated"),
        ("paginated=true&paginated=true", "paginated"),
    ],
)
async def test_queries_out_of_bounds(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A value that is not accepted is a 422 with the parameter's name, on sessions and clients alike."""
    for path in ("/v1/sessions", "/v1/clients"):
        answer = await http.get(f"{path}?{query}")
        check_error(answer, 422, "form_param_value_invalid", parameter)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=alive", "status"),
        ("status=", "status"),
        ("status=active&status=ended", "status"),
        ("user_id=", "user_id"),
        ("user_id=a&user_id=b", "user_id"),
        ("client_id=a&client_id=a", "client_id"),
    ],
)
async def test_filters_that_are_not_accepted(http: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A filter given twice, empty or unknown is refused by name."""
    check_error(await http.get(f"/v1/sessions?{query}"), 422, "form_param_value_invalid", parameter)


async def test_unknown_query_parameters_of_sessions_are_ignored(http: httpx.AsyncClient) -> None:
    """SDKs may send parameters that are newer than this; they change nothing."""
    assert check_answer(await http.get("/v1/sessions?shiny=1&limit=5")) == []


@pytest.mark.parametrize("query", ["limit=%FF", "a=%C3%28", "&".join(f"p{n}=1" for n in range(501))])
async def test_malformed_queries(http: httpx.AsyncClient, query: str) -> None:
    """A query that is no UTF-8 or has too many parameters is a 400."""
    check_error(await http.get(f"/v1/sessions?{query}"), 400, "malformed_request_parameters")


async def test_a_query_that_is_not_ascii(app: App) -> None:
    """Raw bytes in a query are a 400, too."""
    answer = await send(app, "GET", b"/v1/sessions?limit=\xff", headers=(BEARER,))
    assert (answer.status, answer.code) == (400, "malformed_request_parameters")


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"1", b"true", b"nul", b"{'user_id': 1}", b'{"a":1}{', b'\xef\xbb\xbf{}',
     b"\xff\xfe", b'{"user_id":"\xff"}', b'{"user_id":"\\ud800"}', b'{"user_id":NaN}', b'{"user_id":1e999}',
     b"\x00", b'{"user_id":' + b"9" * 6000 + b"}", b"a=b"],
)  # fmt: skip
@pytest.mark.parametrize("path", POSTS)
async def test_bodies_that_are_no_json_object(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    """Broken JSON, other values than an object and other encodings are a 400 on every operation."""
    answer = await http.post(filled(path), content=body, headers={"Content-Type": "application/json"})
    if b"9999" in body and answer.status_code == 422:  # a number of any length is JSON
        return
    check_error(answer, 400, "request_body_invalid")


@pytest.mark.parametrize("path", POSTS)
async def test_deep_bodies(http: httpx.AsyncClient, path: str) -> None:
    """JSON nested deeper than the limit is a 400, however deep."""
    for depth in (MAX_DEPTH + 1, 500, 20_000):
        inner = depth - 1
        for body in (
            '{"public_metadata":' + "[" * inner + "]" * inner + "}",
            '{"public_metadata":' * depth + "1" + "}" * depth,
        ):
            answer = await http.post(filled(path), content=body[:BODY_LIMIT])
            check_error(answer, 400, "request_body_invalid")


async def test_the_deepest_body_that_is_accepted(http: httpx.AsyncClient) -> None:
    """Sixteen levels are accepted and come back."""
    deepest: object = 1
    for _ in range(MAX_DEPTH - 2):
        deepest = [deepest]
    made = check_answer(await http.post("/v1/users", json={"public_metadata": {"x": deepest}}))
    assert made["public_metadata"] == {"x": deepest}


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        ({}, "form_param_missing", "user_id"),
        ({"user_id": None}, "form_param_value_invalid", "user_id"),
        ({"user_id": 1}, "form_param_value_invalid", "user_id"),
        ({"user_id": ""}, "form_param_value_invalid", "user_id"),
        ({"user_id": "x" * 256}, "form_param_value_invalid", "user_id"),
        ({"user_id": "user_x", "userId": "x"}, "form_param_unknown", "userId"),
        (
            {"user_id": "x", "active_organization_id": []},
            "form_param_value_invalid",
            "active_organization_id",
        ),
    ],
)
async def test_members_that_are_not_accepted(
    http: httpx.AsyncClient, body: dict[str, object], code: str, parameter: str
) -> None:
    """A missing, unknown or mistyped member of the body is a 422 with its name."""
    check_error(await http.post("/v1/sessions", json=body), 422, code, parameter)


async def test_several_errors_at_once(http: httpx.AsyncClient) -> None:
    """All members that are wrong are named in one answer."""
    answer = await http.post("/v1/sessions", json={"a": 1, "active_organization_id": 2})
    check_error(answer, 422, "form_param_unknown", "a")
    assert [e["meta"]["param_name"] for e in answer.json()["errors"]] == [
        "a",
        "user_id",
        "active_organization_id",
    ]


@pytest.mark.parametrize("value", [29, 0, -1, 315_360_001, 10**30, 60.5, "60", True, [], {}])
async def test_token_lifetimes_out_of_bounds(
    http: httpx.AsyncClient, sojourn: Sojourn, value: object
) -> None:
    """A token's lifetime is a whole number of seconds from 30 to ten years."""
    session = await new_session(sojourn)
    answer = await http.post(f"/v1/sessions/{session.id}/tokens", json={"expires_in_seconds": value})
    check_error(answer, 422, "form_param_value_invalid", "expires_in_seconds")


@pytest.mark.parametrize("path", POSTS)
async def test_large_bodies(app: App, path: str) -> None:
    """More than the limit is a 413, by the announced length or by what arrives; metadata has a larger one."""
    limit = METADATA_LIMIT if path in WITH_METADATA else BODY_LIMIT
    target = filled(path).encode()
    body = b'{"a":"' + b"x" * (limit - 8) + b'"}'
    assert len(body) == limit
    at_limit = await send(app, "POST", target, headers=(BEARER, JSON), chunks=(body,))
    assert at_limit.status == 422
    for headers, chunks in [
        ([(b"content-length", b"%d" % (limit + 1))], [b"{}"]),
        ([(b"content-length", b"9" * 400)], [b"{}"]),
        ([], [body, b" "]),
        ([(b"content-length", b"2")], [body + b" "]),
    ]:
        answer = await send(app, "POST", target, headers=(BEARER, JSON, *headers), chunks=chunks)
        assert (answer.status, answer.code) == (413, "request_body_too_large")


async def test_a_body_in_pieces(app: App, sojourn: Sojourn) -> None:
    """A body that arrives in pieces is put together; one that breaks off is a 400 and makes nothing."""
    body = json.dumps({"user_id": await user_id(sojourn)}).encode()
    pieces = [body[n : n + 1] for n in range(len(body))]
    whole = await send(app, "POST", b"/v1/sessions", headers=(BEARER, JSON), chunks=pieces)
    assert whole.status == 200
    cut = await send(app, "POST", b"/v1/sessions", headers=(BEARER, JSON), chunks=[body], disconnect=True)
    assert (cut.status, cut.code) == (400, "request_body_invalid")
    assert len(await sojourn.sessions.list()) == 1


@pytest.mark.parametrize("length", [b"", b"abc", b"-1", b"+2", b"1_0", b" 2", b"\xb2"])
async def test_malformed_lengths(app: App, length: bytes) -> None:
    """A length that is no number is the client's mistake."""
    answer = await send(app, "POST", b"/v1/users", headers=(BEARER, (b"content-length", length)))
    assert (answer.status, answer.code) == (400, "malformed_request_parameters")


async def test_long_urls(app: App) -> None:
    """Path and query together have a limit."""
    for target in (b"/" + b"x" * MAX_URL, b"/v1/sessions?user_id=" + b"x" * MAX_URL):
        answer = await send(app, "GET", target, headers=(BEARER,))
        assert (answer.status, answer.code) == (414, "request_url_too_long")
    fits = b"/v1/sessions?user_id="
    fits += b"x" * (MAX_URL - len(fits) + 1)
    assert (await send(app, "GET", fits, headers=(BEARER,))).status == 200


async def test_large_headers(app: App) -> None:
    """Too many headers, or too much in them, is a 431."""
    many = [(b"x-%d" % n, b"1") for n in range(MAX_HEADERS)]
    for headers in (
        many,
        [(b"x", b"y" * MAX_HEADER_BYTES)],
        [(b"authorization", b"Bearer " + b"k" * 20_000)],
    ):
        answer = await send(app, "GET", b"/v1/sessions", headers=(BEARER, *headers))
        assert (answer.status, answer.code) == (431, "request_headers_too_large")
    assert (await send(app, "GET", b"/v1/sessions", headers=(BEARER, *many[1:]))).status == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/jsonp", "application/json; charset=latin-1", "application/json; charset=utf-16",
     "json", "", "text/json", "*/*", "application/json, text/plain"],
)  # fmt: skip
async def test_unsupported_content_types(http: httpx.AsyncClient, content_type: str) -> None:
    """A body that is declared as anything but JSON in UTF-8 is a 415; without a declaration it is read."""
    answer = await http.post("/v1/users", content=b"{}", headers={"Content-Type": content_type})
    check_error(answer, 415, "unsupported_content_type")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json;charset=utf-8",
     'application/json; charset="UTF-8"'],
)  # fmt: skip
async def test_supported_content_types(http: httpx.AsyncClient, content_type: str) -> None:
    """JSON is accepted however the content type is spelt."""
    check_answer(await http.post("/v1/users", content=b"{}", headers={"Content-Type": content_type}))


async def test_trace_ids_differ(anonymous: httpx.AsyncClient) -> None:
    """Every answer has a trace id of its own; one sent along is not taken over."""
    sent = {"Clerk-Trace-Id": "mine", "X-Request-Id": "mine"}
    traces = {(await anonymous.get("/livez", headers=sent)).headers["clerk-trace-id"] for _ in range(50)}
    assert len(traces) == 50
    assert "mine" not in traces
