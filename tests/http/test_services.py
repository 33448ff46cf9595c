"""The operations made from the methods of the services: access, requests that do not fit, the table."""

from __future__ import annotations

import inspect

import httpx
import pytest

from sojourn import Sojourn
from sojourn.http.routes import Operation
from sojourn.http.services import OPERATIONS
from sojourn.remote.calls import OFFERED, Repeat, calls
from tests.embedded import user_id
from tests.http.conftest import check_answer, check_error

BASE = "/sojourn/v1/services"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_only_a_secret_key_calls(
    anonymous: httpx.AsyncClient, verifier: dict[str, str], operation: Operation
) -> None:
    """Without a key it is 401, with a verifier key 403, whatever else the request lacks."""
    check_error(await anonymous.post(operation.path), 401, "clerk_key_invalid")
    check_error(await anonymous.post(operation.path, headers=verifier), 403, "authorization_invalid")


async def test_a_call(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Arguments by the names of the parameters; the answer is the method's value by its fields."""
    user = await user_id(sojourn)
    answer = check_answer(await http.post(f"{BASE}/sessions/create", json={"user_id": user}))
    session = await sojourn.sessions.get(answer["value"]["id"])
    assert answer["value"]["inactivity_seconds"] == session.inactivity_seconds
    ended = await http.post(f"{BASE}/sessions/revoke_all_of_user", json={"user_id": user, "note": "why"})
    assert check_answer(ended) == {"value": None}


@pytest.mark.parametrize(
    ("method", "body", "code", "parameter"),
    [
        ("sessions/get", {}, "form_param_missing", "session_id"),
        ("sessions/get", {"session_id": 1}, "form_param_value_invalid", "session_id"),
        ("sessions/get", {"session_id": "x", "y": 1}, "form_param_unknown", "y"),
        ("sessions/list", {"limit": 2**53}, "form_param_value_invalid", "limit"),
        ("sessions/list", {"limit": 501}, "form_param_value_invalid", "limit"),
        ("sessions/search", {"which": {"created_from": 2**70}}, "form_param_value_invalid", "which"),
        ("endings/preview", {"which": {"active_before": -1}}, "form_param_value_invalid", "active_before"),
        ("policies/change", {"changes": {"colour": "red"}}, "form_param_value_invalid", "colour"),
    ],
)
async def test_arguments_that_do_not_fit(
    http: httpx.AsyncClient, method: str, body: object, code: str, parameter: str
) -> None:
    """Each is named, as everywhere."""
    check_error(await http.post(f"{BASE}/{method}", json=body), 422, code, parameter)


async def test_a_creation_honours_the_key(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """Repeated with the same Idempotency-Key it answers the same session."""
    body, headers = {"user_id": await user_id(sojourn)}, {"Idempotency-Key": "one"}
    first = check_answer(await http.post(f"{BASE}/sessions/create", json=body, headers=headers))
    again = check_answer(await http.post(f"{BASE}/sessions/create", json=body, headers=headers))
    assert first["value"]["id"] == again["value"]["id"]


def test_the_table_names_methods_that_are_there() -> None:
    """Each method is a coroutine of its service, named once; what is repeated by a key takes one."""
    for service, offer in OFFERED.items():
        names = f"{offer.safe} {offer.by_key} {offer.never}".split()
        assert len(names) == len(set(names))
        for name in names:
            method = getattr(offer.service, name)
            assert inspect.iscoroutinefunction(method), (service, name)
            by_key = calls()[service, name].repeat is Repeat.BY_KEY
            assert by_key is ("once" in inspect.signature(method).parameters), (service, name)


def test_every_parameter_can_travel() -> None:
    """All that is left out is what no request can hold: a function."""
    left_out = {
        f"{call.service}.{call.method}.{parameter}"
        for call in calls().values()
        for parameter in inspect.signature(getattr(OFFERED[call.service].service, call.method)).parameters
        if parameter != "self" and parameter not in call.arguments.__struct_fields__
    }
    assert left_out == {"sessions.create.also", "sessions.create.place", "tickets.redeem.place"}
