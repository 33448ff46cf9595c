"""A tenant's key reaches nothing of another tenant, on any operation that there is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sojourn.http.backend import OPERATIONS as BACKEND
from sojourn.http.own import OPERATIONS as OWN
from sojourn.http.routes import Operation
from tests.attacks.tenants import Tenant, tenant

BY_ID = [operation for operation in (*BACKEND, *OWN) if "{" in operation.path]
BODIES: dict[str, Any] = {
    "VerifySession": {"token": "x"},
    "AttestFactors": {"first_factor": True},
    "RefreshSession": {"expired_token": "x", "refresh_token": "x", "request_origin": "https://a.b"},
    "UpdateJWTTemplate": {"name": "x", "claims": {}},
    "CreateOrganizationMembership": {"user_id": "user_x", "role": "org:member"},
    "UpdateOrganizationMembership": {"role": "org:member"},
}
"""Bodies without which an operation has something else to say first."""
ELSEWHERE = {"RefreshSession": 401, "VerifySession": 400}
"""What says another thing than 404 for what is not there, as its token is no good in the first place."""


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants for the file."""
    folder = tmp_path_factory.mktemp("tenants")
    with tenant(folder / "a") as one, tenant(folder / "b") as other:
        yield one, other


def path_of(operation: Operation, ids: dict[str, str]) -> str:
    """A path filled with ids; what has none gets one that nobody has."""
    path = operation.path
    while "{" in path:
        start, _, rest = path.partition("{")
        name, _, end = rest.partition("}")
        path = start + ids.get(name, f"{name}_none") + end
    return path


def call(http: httpx.Client, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    """Call an operation with ids in its path."""
    body = None if operation.method in ("GET", "DELETE") else BODIES.get(operation.name, {})
    return http.request(operation.method, path_of(operation, ids), json=body)


@pytest.mark.parametrize("operation", BY_ID, ids=lambda operation: operation.name)
def test_a02_ids_of_another_tenant_are_unknown(tenants: tuple[Tenant, Tenant], operation: Operation) -> None:
    """A-02: every operation that takes an id answers as for one that nobody has, in status and code; where a
    user of the same external id is there, it is one's own."""
    one, other = tenants
    foreign = call(other.http, operation, one.ids)
    nobody = call(other.http, operation, {})
    if "external_id" in operation.path:
        assert foreign.json()["id"] == other.ids["user_id"]
        return
    assert foreign.status_code == nobody.status_code == ELSEWHERE.get(operation.name, 404), foreign.text
    assert [e["code"] for e in foreign.json()["errors"]] == [e["code"] for e in nobody.json()["errors"]]


def test_a02_nothing_of_the_other_was_touched(tenants: tuple[Tenant, Tenant]) -> None:
    """A-02: after all of that the first tenant's session, user and tickets are as they were."""
    one, _ = tenants
    session = one.http.get(f"/v1/sessions/{one.ids['session_id']}").json()
    assert session["status"] == "active"
    user = one.http.get(f"/v1/users/{one.ids['user_id']}").json()
    assert (user["banned"], user["locked"]) == (False, False)
    revoked = one.http.post(f"/v1/actor_tokens/{one.ids['actor_token_id']}/revoke")
    assert revoked.status_code == 200


def test_a02_the_control(tenants: tuple[Tenant, Tenant]) -> None:
    """A-02: the owner of the ids does reach them: with one's own ids reads are no 404."""
    one, _ = tenants
    reads = [o for o in BY_ID if o.method == "GET" and path_of(o, one.ids).find("_none") < 0]
    assert len(reads) >= 5
    for operation in reads:
        response = call(one.http, operation, one.ids)
        assert response.status_code == 200, (operation.name, response.text)


def test_a01_keys_of_another_tenant(tenants: tuple[Tenant, Tenant]) -> None:
    """A-01: another instance's key, a shortened one, one with a wrong end and the publishable key are refused
    alike, in body and headers but for the trace."""
    one, other = tenants
    own = other.server.secret_key
    wrong = [one.server.secret_key, own[:-1], own[:-1] + "g", own + "0", other.server.publishable_key]
    shown: set[str] = set()
    for key in wrong:
        response = httpx.get(f"{other.server.url}/v1/jwks", headers={"Authorization": f"Bearer {key}"})
        body = response.json()
        assert len(body.pop("clerk_trace_id")) == 32
        shown.add(f"{response.status_code} {body}")
        assert key not in response.text
    assert len(shown) == 1
    assert shown.pop().startswith("401")


def test_s16_another_tenants_session_takes_no_longer(tenants: tuple[Tenant, Tenant]) -> None:
    """S-16: through another tenant's key a session that exists elsewhere is as unknown as any, and the time
    it takes tells nothing: the medians of many reads in turns lie closer together than the reads do."""
    one, other = tenants
    paths = [f"/v1/sessions/{one.ids['session_id']}", "/v1/sessions/sess_2cAHx9rDQUYIxjIMHNIEnorvr7Y"]
    took: list[list[float]] = [[], []]
    for _ in range(150):
        for side, path in enumerate(paths):
            began = time.perf_counter()
            assert other.http.get(path).status_code == 404
            took[side].append(time.perf_counter() - began)
    medians = [statistics.median(side) for side in took]
    spread = statistics.quantiles(took[0], n=4)
    assert abs(medians[0] - medians[1]) <= (spread[2] - spread[0]) + 0.1 * medians[0]


def test_s06_revoking_what_is_not_there(tenants: tuple[Tenant, Tenant]) -> None:
    """S-06: twice is the same body, ended is 200, unknown is 404, whether it exists elsewhere or not."""
    one, other = tenants
    session = other.http.post("/v1/sessions", json={"user_id": other.ids["user_id"]}).json()["id"]
    first = other.http.post(f"/v1/sessions/{session}/revoke")
    second = other.http.post(f"/v1/sessions/{session}/revoke")
    assert (first.status_code, first.json()) == (200, second.json())
    for unknown in (one.ids["session_id"], "sess_none"):
        assert other.http.post(f"/v1/sessions/{unknown}/revoke").status_code == 404


def test_t22_a_token_of_another_tenant(tenants: tuple[Tenant, Tenant]) -> None:
    """T-22: a token that the other instance signed is refused, also when it names a session of this one."""
    one, other = tenants
    token = one.http.post(f"/v1/sessions/{one.ids['session_id']}/tokens").json()["jwt"]
    response = other.http.post(f"/v1/sessions/{other.ids['session_id']}/verify", json={"token": token})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "invalid_session_token")
    own = one.http.post(f"/v1/sessions/{one.ids['session_id']}/verify", json={"token": token})
    assert own.status_code == 200
