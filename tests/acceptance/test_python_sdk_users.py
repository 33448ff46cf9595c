"""The official Python SDK, unmodified, sync and async: users listed, counted, changed and locked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from clerk_backend_api import models

from tests.acceptance.test_python_sdk import Sdk, code_of, sdk
from tests.support import Server, serving

__all__ = ["sdk"]  # a fixture
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the file."""
    with serving(tmp_path_factory.mktemp("python-sdk-users")) as running:
        yield running


async def ids(sdk: Sdk, **request: Any) -> list[str]:
    """Who is listed."""
    return [user.id for user in await sdk("users.list", request=request)]


async def test_users_are_found(sdk: Sdk) -> None:
    """By identifiers, parts of names, organization and exclusion, sorted, and counted."""
    tag = f"t{time.time_ns()}"
    users = [
        await sdk("users.create", username=f"{tag}{n}", email_address=[f"{tag}{n}@x.org"], last_name=name)
        for n, name in enumerate(("Beta", "Alpha", "Gamma"))
    ]
    first, second, third = (user.id for user in users)
    assert await ids(sdk, query=tag.upper()) == [third, second, first]
    assert await ids(sdk, query=tag, order_by="+last_name") == [second, first, third]
    assert await ids(sdk, email_address=[f"{tag}1@X.org", "nobody@x.org"]) == [second]
    assert await ids(sdk, username_query=tag, user_id=[f"-{second}"]) == [third, first]
    assert await ids(sdk, query=tag, name_query="amm", banned=False) == [third]
    organization = await sdk("organizations.create", request={"name": "A", "created_by": first})
    assert await ids(sdk, query=tag, organization_id=[f"-{organization.id}"]) == [third, second]
    assert (await sdk("users.count", request={"query": tag})).total_count == 3
    with pytest.raises(models.ClerkErrors) as refused:
        await ids(sdk, order_by="web3wallet")
    assert code_of(refused) == "form_param_value_invalid"


async def test_users_are_changed(sdk: Sdk) -> None:
    """Changed, emptied, refused what is taken; metadata merged and replaced."""
    name = f"n{time.time_ns()}"
    made = await sdk("users.create", first_name="Ada", public_metadata={"a": {"b": 1, "c": 2}})
    changed = await sdk("users.update", user_id=made.id, username=name, last_name="Lovelace")
    assert (changed.username, changed.first_name, changed.last_name) == (name, "Ada", "Lovelace")
    emptied = await sdk("users.update", user_id=made.id, first_name=None)
    assert (emptied.first_name, emptied.last_name) == (None, "Lovelace")
    merged = await sdk("users.update_metadata", user_id=made.id, public_metadata={"a": {"b": None, "d": 3}})
    assert merged.public_metadata == {"a": {"c": 2, "d": 3}}
    replaced = await sdk("users.replace_metadata", user_id=made.id, public_metadata={"e": 4})
    assert replaced.public_metadata == {"e": 4}
    other = await sdk("users.create", first_name="Eve")
    with pytest.raises(models.ClerkErrors) as refused:
        await sdk("users.update", user_id=other.id, username=name)
    assert code_of(refused) == "form_identifier_exists"


async def test_users_are_locked(sdk: Sdk) -> None:
    """Out while locked, in again afterwards."""
    user = await sdk.user()
    assert (await sdk("users.lock", user_id=user)).locked is True
    with pytest.raises(models.SDKError) as refused:
        await sdk("sessions.create", request={"user_id": user})
    assert "user_locked" in str(refused.value)
    assert (await sdk("users.unlock", user_id=user)).locked is False
    assert (await sdk("sessions.create", request={"user_id": user})).status == "active"
