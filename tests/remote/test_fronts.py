"""One tour through every method that is offered, the same in every front: embedded on each store, and over
the network from a server that really runs, in both forms."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sojourn import Activity, Config, Limits, NotFound, Sojourn, SojournError, blocking
from sojourn.core.errors import AnswerLost, ConfigurationError, Unavailable
from sojourn.core.session import Actor
from sojourn.remote.calls import calls
from sojourn.service.filters import SessionFilter
from sojourn.service.ports import MembershipQuery, OrganizationQuery, UserQuery
from sojourn.service.users import NewContact, NewUser
from tests.support import Server, free_port, serving

ID = re.compile(r"\b[a-z]+(?:_[a-z]+)*_[0-9A-Za-z]{27}\b")
SECRET = re.compile(r"[\w-]{38,}")
POSITION = re.compile(r"\b[0-9a-f]{12}(?=\.\d+$)")
MASKED = {"jti", "digest", "epoch", "request_id", "position", "iss", "kid", "token", "url"}
"""What is different in every instance, and says nothing."""


class Tour:
    """Calls methods by their names and writes down what comes back, with ids by their order."""

    def __init__(self, sojourn: Any) -> None:
        self._sojourn = sojourn
        self._ids: dict[str, str] = {}
        self.called: set[tuple[str, str]] = set()
        self.told: list[object] = []

    async def __call__(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """One call, to a method that waits or to one that is waited for."""
        service, _, method = name.partition(".")
        self.called.add((service, method))
        value: Any
        try:
            value = getattr(getattr(self._sojourn, service), method)(*args, **kwargs)
            if hasattr(value, "__await__"):
                value = await value
        except SojournError as error:
            told = [type(error).__name__, error.code, error.message, error.detail, error.meta]
            self.told.append((name, self._mask(told)))
            return None
        self.told.append((name, self._mask(msgspec.to_builtins(value, enc_hook=dict))))
        return value

    def _mask(self, value: Any, key: str = "") -> Any:
        if key in MASKED:
            return f"<{key}>"
        match value:
            case dict():
                return {name: self._mask(inner, name) for name, inner in value.items()}
            case list() | tuple():
                return [self._mask(inner) for inner in value]
            case str() if value.startswith(("http://", "https://")):
                return "<url>"
            case str():
                plain = SECRET.sub("<secret>", ID.sub(self._ordinal, value))
                return POSITION.sub("<epoch>", plain)
            case int() if value > 10**9:
                return "<instant>"
            case _:
                return value

    def _ordinal(self, match: re.Match[str]) -> str:
        prefix = match[0].partition("_")[0]
        return self._ids.setdefault(match[0], f"{prefix}#{len(self._ids)}")


async def take(sojourn: Any) -> Tour:
    """Every method once at least, well and badly."""
    tour = Tour(sojourn)
    await people(tour)
    await lives(tour)
    await teams(tour)
    await tickets(tour)
    await operating(tour)
    return tour


async def people(tour: Tour) -> None:
    """Users."""
    new = NewUser(
        external_id="anna", email_addresses=[NewContact(value="a@x.org")], public_metadata={"n": 2**60}
    )
    anna = await tour("users.create", new)
    await tour("users.create", new)
    await tour("users.get", anna.id)
    await tour("users.get", "user_none")
    await tour("users.by_external_id", "anna")
    await tour("users.list", query="ann", limit=1)
    await tour("users.list", limit=0)
    await tour("users.page", UserQuery(ids=(anna.id,)))
    await tour("users.count")
    await tour("users.update", anna.id, first_name="Anna", public_metadata={"n": 1}, clear=["username"])
    await tour("users.merge_metadata", anna.id, unsafe_metadata={"a": {"b": None}})
    await tour("users.lock", anna.id)
    await tour("users.unlock", anna.id)
    bob = await tour("users.ensure", external_id="bob")
    await tour("users.ban", bob.id)
    await tour("sessions.create", user_id=bob.id)
    await tour("users.unban", bob.id)
    await tour("users.delete", bob.id)
    await tour("users.delete", bob.id)


async def lives(tour: Tour) -> None:
    """Sessions, tokens, clients and what is known of them."""
    anna = await tour("users.ensure", external_id="anna")
    create = partial(tour, "sessions.create", user_id=anna.id)
    seen = Activity(id="sess_activity_1", browser_name="Firefox", ip_address="192.0.2.1")
    first = await create(activity=seen, application="app", limits=Limits(lifetime_seconds=3600))
    await tour("sessions.get", first.id)
    await tour("sessions.touch", first.id, activity=seen)
    await tour("sessions.attest", first.id, first=True, second=True)
    token = await tour("tokens.create", first.id, expires_in_seconds=60, origin="https://app.example")
    await tour("tokens.verify", token)
    await tour("tokens.verify", "x")
    await tour("tokens.verify_session", first.id, token)
    await tour("tokens.verify_session", "sess_none", token)
    await tour("tokens.create", first.id, expires_in_seconds=0)
    await tour("tokens.settle")
    await tour("devices.describe", user_agent="Mozilla/5.0 (X11; Linux) Firefox/130.0", address="192.0.2.7")
    refresh = await tour("refresh_tokens.issue", first.id)
    await tour(
        "refresh_tokens.exchange",
        first.id,
        expired_token=token,
        refresh_token=refresh,
        request_origin="https://app.example",
    )
    link = await tour("end_links.create", first.id, expires_in_seconds=60)
    await tour("end_links.redeem", "x")
    assert "token=" in link
    pending = await create(tasks=("reset-password", "choose-organization"), actor=Actor("admin", {"n": [1]}))
    await tour("sessions.complete_task", pending.id, "reset-password")
    await tour("sessions.activate", pending.id)
    await tour("sessions.create", user_id=anna.id, client_id="client_none")
    await tour("clients.get", first.client_id)
    await tour("clients.list", count=True)
    await tour("sessions.revoke", pending.id, note="a note")
    await tour("sessions.revoke", pending.id)
    await tour("history.explain", pending.id)
    await tour("history.of_session", pending.id, limit=2)
    await tour("sessions.end", (await create()).id)
    await tour("sessions.remove", (await create()).id)
    await tour("sessions.list", user_id=anna.id, status="active")
    await tour("sessions.list", status="asleep")
    await tour("sessions.page", statuses=frozenset({first.status}), count=True)
    await tour("sessions.search", SessionFilter(user_id=anna.id, addresses=("192.0.2.0/24",)), limit=3)
    await tour("sessions.search", SessionFilter(addresses=("nowhere",)))
    await tour("sessions.revoke_all_of_user", anna.id, note="all", except_session_id=first.id)
    await tour("sessions.revoke_all")
    await tour("sessions.get", first.id)


async def teams(tour: Tour) -> None:
    """Organizations and memberships."""
    anna = await tour("users.ensure", external_id="anna")
    carl = await tour("users.ensure", external_id="carl")
    team = await tour("organizations.create", name="Team", slug="team", created_by=anna.id)
    await tour("organizations.create", name="Other", slug="team")
    await tour("organizations.get", "team", counts=True)
    await tour("organizations.list", user_id=anna.id)
    await tour("organizations.page", OrganizationQuery(text="eam"))
    await tour("organizations.update", team.id, name="The Team", public_metadata={"a": 1})
    await tour("organizations.merge_metadata", team.id, public_metadata={"a": None, "b": {"c": 2}})
    await tour("memberships.add", team.id, carl.id, role="org:member")
    await tour("memberships.add", team.id, carl.id, role="org:member")
    await tour("memberships.get", team.id, carl.id)
    await tour("memberships.list", organization_id=team.id)
    await tour("memberships.page", MembershipQuery(organization_id=team.id, roles=("org:admin",)))
    await tour("memberships.update", team.id, carl.id, role="org:admin")
    await tour("memberships.merge_metadata", team.id, carl.id, private_metadata={"seat": 7})
    session = await tour("sessions.create", user_id=anna.id, organization_id=team.id)
    await tour("sessions.set_organization", session.id, None)
    await tour("sessions.set_organization", session.id, team.id)
    await tour("memberships.remove", team.id, carl.id)
    await tour("sessions.create", user_id=carl.id, organization_id=team.id)
    await tour("organizations.delete", team.id)
    await tour("sessions.get", session.id)


async def tickets(tour: Tour) -> None:
    """Tickets."""
    anna = await tour("users.ensure", external_id="anna")
    issued = await tour("tickets.create_sign_in_token", user_id=anna.id)
    await tour("tickets.get", issued.ticket.id)
    await tour("tickets.redeem", issued.token)
    await tour("tickets.redeem", issued.token)
    await tour("tickets.revoke_sign_in_token", issued.ticket.id)
    acting = await tour("tickets.create_actor_token", user_id=anna.id, actor=Actor("admin", {"why": "help"}))
    await tour("tickets.create_actor_token", user_id=anna.id, actor={"why": "help"})
    await tour("tickets.revoke_actor_token", acting.ticket.id)
    await tour("testing_tokens.create")
    await tour("sessions.end", (await tour("clients.create")).id)
    signed_in = await tour(
        "clients.sign_in", (await tour("tickets.create_sign_in_token", user_id=anna.id)).token
    )
    held = await tour("clients.recognise", signed_in.token)
    await tour("clients.recognise", None)
    await tour("clients.verify", held.token)
    held = await tour("clients.make_active", held, signed_in.session.id)
    held = await tour("clients.end_session", held, signed_in.session.id)
    held = await tour("clients.remove_session", held, signed_in.session.id)
    held = await tour("clients.remove_sessions", held)
    await tour("clients.destroy", held)


async def operating(tour: Tour) -> None:
    """Policy, endings and the log."""
    anna = await tour("users.ensure", external_id="anna")
    template = await tour("templates.create", name="app", claims={"who": "{{user.id}}"})
    await tour("templates.create", name="app", claims={})
    await tour("templates.create", name="bad", claims={"sid": "x"})
    await tour("templates.get", template.id)
    await tour("templates.named", "app")
    await tour("templates.list")
    await tour("templates.page", limit=1)
    await tour("templates.update", template.id, lifetime_seconds=90)
    session = await tour("sessions.create", user_id=anna.id)
    await tour("tokens.create", session.id, template="app")
    await tour("templates.delete", template.id)
    await tour("policies.get")
    await tour("policies.change", {"inactivity_seconds": 3600})
    await tour("policies.change", {"inactivity_seconds": "soon"})
    await tour("policies.reset", ("inactivity_seconds",))
    await tour("endings.preview", SessionFilter(user_id=anna.id))
    ending = await tour("endings.begin", SessionFilter(user_id=anna.id), note="over")
    await tour("endings.begin", SessionFilter())
    await tour("endings.get", ending.id)
    await tour("endings.list", limit=5)
    await tour("endings.cancel", ending.id)
    await tour("events.read", limit=500)
    await tour("events.read", "nowhere.1")
    await tour("events.end")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SOJOURN_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has nothing but an instance."""
    with serving(tmp_path_factory.mktemp("fronts"), SOJOURN_SWEEP="false") as running:
        yield running


@asynccontextmanager
async def embedded(url: str) -> AsyncGenerator[Sojourn]:
    """An instance of its own."""
    async with Sojourn.open(config=Config(database_url=url, sweep=False)) as sojourn:
        yield sojourn


def tours(folder: Path, server: Server) -> Mapping[str, Callable[[], Tour]]:
    """The tour in every front."""

    async def taken(opened: Any) -> Tour:
        async with opened as sojourn:
            return await take(sojourn)

    def waiting() -> Tour:
        with (
            serving(folder, SOJOURN_SWEEP="false") as other,
            blocking.open(other.url, secret_key=other.secret_key) as sojourn,
        ):
            return asyncio.run(take(sojourn))

    return {
        "memory": lambda: asyncio.run(taken(embedded("memory://"))),
        "sqlite": lambda: asyncio.run(taken(embedded(f"sqlite:///{folder}/embedded.db"))),
        "network": lambda: asyncio.run(taken(Sojourn.open(server.url, secret_key=server.secret_key))),
        "network, blocking": waiting,
    }


def test_every_front_tells_the_same(tmp_path: Path, server: Server) -> None:
    """Every method that is offered answers the same in every front, value for value and error for error."""
    taken = {name: tour() for name, tour in tours(tmp_path, server).items()}
    expected = taken["memory"]
    assert expected.called == set(calls())
    for name, tour in taken.items():
        assert len(tour.told) == len(expected.told)
        for one, other in zip(tour.told, expected.told, strict=True):
            assert one == other, name


async def test_settings_of_a_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """URL and key may come from the environment; what belongs to the other end is refused here."""
    monkeypatch.setenv("SOJOURN_DATABASE_URL", server.url + "/")
    monkeypatch.setenv("SOJOURN_SECRET_KEY", server.secret_key)
    async with Sojourn.open() as sojourn:
        await sojourn.check()
        with pytest.raises(NotFound):
            await sojourn.users.get("user_none")
        assert sojourn.new_secret_key is None
        policy = sojourn.policy
    monkeypatch.delenv("SOJOURN_SECRET_KEY")
    given: list[tuple[dict[str, Any], str]] = [
        ({}, "needs a secret_key"),
        ({"secret_key": "sk_test_x", "policy": policy}, "policy is the service's own"),
        ({"database_url": "memory://", "secret_key": "sk_test_x"}, "not with a database"),
        ({"database_url": "http://user:pass@x.org", "secret_key": "sk_test_x"}, "no more than a path"),
        ({"database_url": "http://", "secret_key": "sk_test_x"}, "no more than a path"),
        ({"secret_key": "sk_test_of_nobody_at_all"}, "does not belong to this instance"),
    ]
    for arguments, words in given:
        with pytest.raises(ConfigurationError, match=words):
            async with Sojourn.open(**arguments):
                pass


async def test_nobody_is_there() -> None:
    """A port at which nothing listens is told as unavailable, after a few attempts."""
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with Sojourn.open(f"http://127.0.0.1:{free_port()}", secret_key="sk_test_x"):
            pass


async def test_no_time_without_end() -> None:
    """A server that takes a connection and never answers is given up after the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = Config(
            database_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            secret_key=("sk_test_x",),
            remote_timeout_seconds=0.05,
        )
        with pytest.raises(AnswerLost, match="No answer to GET"):
            async with Sojourn.open(config=config):
                pass
