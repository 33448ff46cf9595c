"""Two tenants: two real servers, each with a database and keys of its own, and something of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support import Server, serving


@dataclass
class Tenant:
    """A server with a caller who holds its secret key, and ids that exist there by the name in the path."""

    server: Server
    http: httpx.Client
    ids: dict[str, str]


@contextmanager
def tenant(folder: Path) -> Iterator[Tenant]:
    """A tenant with one of each thing that paths name."""
    folder.mkdir()
    with (
        serving(folder) as server,
        httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.secret_key}"}, timeout=20
        ) as http,
    ):
        yield Tenant(server, http, made(http))


def made(http: httpx.Client) -> dict[str, str]:
    """One of each thing; those for which there is no operation yet are left out."""

    def create(path: str, body: dict[str, object]) -> dict[str, str]:
        response = http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    user = create("/v1/users", {"external_id": "42"})
    session = create("/v1/sessions", {"user_id": user["id"]})
    actor = create("/v1/actor_tokens", {"user_id": user["id"], "actor": {"sub": "user_boss"}})
    ticket = create("/v1/sign_in_tokens", {"user_id": user["id"]})
    organization = create("/v1/organizations", {"name": "A", "created_by": user["id"]})
    ending = create("/sojourn/v1/endings", {"application": "nobody"})
    return {
        "user_id": user["id"],
        "session_id": session["id"],
        "client_id": session["client_id"],
        "actor_token_id": actor["id"],
        "sign_in_token_id": ticket["id"],
        "organization_id": organization["id"],
        "ending_id": ending["id"],
        "external_id": "42",
    }
