"""The front for programs without an event loop: the same services, every method waits."""

from __future__ import annotations

import ast
import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sojourn import Config, NotFound, Policy, Sojourn, blocking
from sojourn.core.errors import ConfigurationError, Taken
from sojourn.service.users import NewUser
from sojourn.testing import ManualClock
from tests.embedded import opened, reuse_one_key
from tests.support import clean_environment

STUB = Path(blocking.__file__).with_suffix(".pyi")
SERVICES = (
    "sessions",
    "tokens",
    "users",
    "clients",
    "devices",
    "events",
    "api_keys",
    "sweeper",
    "policies",
    "history",
    "end_links",
    "endings",
    "doctor",
)


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture
def sojourn(tmp_path: Path) -> Iterator[blocking.BlockingSojourn]:
    """A Sojourn that waits, on SQLite."""
    config = Config(database_url=f"sqlite:///{tmp_path}/app.db", sweep=False)
    with blocking.open(config=config) as made:
        yield made


def test_the_life_of_a_session(sojourn: blocking.BlockingSojourn) -> None:
    """What the asynchronous front does, without a single await."""
    user = sojourn.users.ensure(external_id="42")
    session = sojourn.sessions.create(user_id=user.id)
    token = sojourn.tokens.create(session.id)
    assert sojourn.tokens.verify(token)["sid"] == session.id
    assert [s.id for s in sojourn.sessions.list(user_id=user.id)] == [session.id]
    assert sojourn.clients.get(session.client_id).sessions[0].id == session.id
    assert sojourn.sessions.revoke(session.id).status == "revoked"
    assert [e.type for e in sojourn.events.read().events][-1] == "session.revoked"
    assert (sojourn.sweeper.sweep(), sojourn.sweeper.purge()) == (0, 0)
    assert sojourn.new_secret_key is not None
    assert sojourn.api_keys.authenticate(sojourn.new_secret_key)
    assert sojourn.issuer.startswith("https://")
    assert sojourn.keys.jwks()["keys"]


async def test_every_public_method_is_reachable(sojourn: blocking.BlockingSojourn) -> None:
    """Each method of each service is there and waits, and the stub knows it with the same parameters."""
    stub = {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef)}
    async with opened() as real:
        for name in SERVICES:
            service = getattr(real, name)
            front = getattr(sojourn, name)
            methods = [
                n for n, _ in inspect.getmembers(type(service), inspect.isfunction) if not n.startswith("_")
            ]
            assert methods
            typed = {
                f.name: f for f in stub[f"_{type(service).__name__}"].body if isinstance(f, ast.FunctionDef)
            }
            assert set(typed) == set(methods)
            for method in methods:
                assert not inspect.iscoroutinefunction(getattr(front, method))
                arguments = typed[method].args
                written = [a.arg for a in (*arguments.args[1:], *arguments.kwonlyargs)]
                assert written == list(inspect.signature(getattr(service, method)).parameters)
        public = {n for n in vars(real) if not n.startswith("_")} | {"policy"}
    public -= {"feed", "reach", "frontend"}  # streams without end, and how a server answers browsers
    members = {node.target.id for node in stub["BlockingSojourn"].body if isinstance(node, ast.AnnAssign)}  # pyright: ignore[reportAttributeAccessIssue]
    assert public == members


def test_the_stub_is_up_to_date() -> None:
    """Running the generator again would change nothing."""
    tool = Path(__file__).parent.parent / "tools/gen_blocking.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_many_threads(sojourn: blocking.BlockingSojourn) -> None:
    """Any number of threads may call at once: forty make one user, and a session each."""
    together = threading.Barrier(40)

    def sign_in(_: int) -> str:
        together.wait(10)
        user = sojourn.users.ensure(external_id="42")
        session = sojourn.sessions.create(user_id=user.id)
        sojourn.tokens.create(session.id)
        return session.id

    with ThreadPoolExecutor(40) as pool:
        made = list(pool.map(sign_in, range(40)))
    assert len(set(made)) == 40
    assert {s.id for s in sojourn.sessions.list(limit=500)} == set(made)
    assert len(sojourn.users.list()) == 1


def test_exceptions_pass_through(sojourn: blocking.BlockingSojourn) -> None:
    """What a service raises is raised in the caller, as it is, and the next call works."""
    with pytest.raises(NotFound) as error:
        sojourn.sessions.get("sess_none")
    assert "sess_none" in error.value.detail
    sojourn.users.create(NewUser(username="anna"))
    with pytest.raises(Taken):
        sojourn.users.create(NewUser(username="anna"))
    with pytest.raises(TypeError):
        sojourn.sessions.get()  # pyright: ignore[reportCallIssue]
    with pytest.raises(AttributeError):
        sojourn.sessions.dance()  # pyright: ignore[reportAttributeAccessIssue]
    assert sojourn.users.ensure(external_id="42")


def left_behind(before: set[threading.Thread]) -> list[threading.Thread]:
    """The threads that are new and do not end: one that was told to may take a moment."""
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        thread.join(5)
    return [thread for thread in new if thread.is_alive()]


def test_an_opening_that_fails() -> None:
    """An error at the opening is raised there, and no thread is left behind."""
    before = set(threading.enumerate())
    with pytest.raises(ConfigurationError), blocking.open(config=Config(database_url="nonsense")):
        pass
    assert left_behind(before) == []


def test_an_exception_in_the_block(tmp_path: Path) -> None:
    """A program's own exception comes out unchanged, and the database is closed."""
    config = Config(database_url=f"sqlite:///{tmp_path}/app.db")
    before = set(threading.enumerate())

    def program() -> None:
        with blocking.open(config=config) as sojourn:
            sojourn.users.ensure(external_id="42")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    assert left_behind(before) == []
    assert [p.name for p in tmp_path.iterdir()] == ["app.db"]
    with blocking.open(config=config) as sojourn:
        assert len(sojourn.users.list()) == 1


@pytest.mark.filterwarnings("error")
def test_a_call_after_the_end(tmp_path: Path) -> None:
    """After the block every call is an error, and no coroutine is left dangling."""
    with blocking.open(config=Config(database_url="memory://")) as sojourn:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        sojourn.users.list()


def test_two_at_once(tmp_path: Path) -> None:
    """Two fronts on one file see each other's changes."""
    config = Config(database_url=f"sqlite:///{tmp_path}/app.db", sweep=False)
    with blocking.open(config=config) as one, blocking.open(config=config) as two:
        user = one.users.ensure(external_id="42")
        assert two.users.ensure(external_id="42").id == user.id
        session = two.sessions.create(user_id=user.id)
        one.sessions.revoke(session.id)
        with pytest.raises(NotFound):
            two.tokens.create(session.id)


def test_clock_and_policy_are_passed_on() -> None:
    """The front takes what the asynchronous one takes."""
    clock = ManualClock()
    policy = Policy(lifetime_seconds=60)
    with blocking.open(config=Config(database_url="memory://"), policy=policy, clock=clock) as sojourn:
        session = sojourn.sessions.create(user_id=sojourn.users.ensure(external_id="42").id)
        clock.advance(seconds=60)
        assert sojourn.sessions.get(session.id).status == "expired"
        assert sojourn.policy == policy
    parameters = inspect.signature(blocking.open).parameters
    assert list(parameters) == list(inspect.signature(Sojourn.open).parameters)


def test_it_is_usable_inside_of_an_event_loop() -> None:
    """A synchronous function called from a coroutine may use it: its loop is another one."""

    async def handler() -> str:
        with blocking.open(config=Config(database_url="memory://")) as sojourn:
            return sojourn.users.ensure(external_id="42").id

    assert asyncio.run(handler()).startswith("user_")


def test_it_does_not_wait_for_itself() -> None:
    """Called from its own event loop it raises instead of hanging for ever."""
    raised: list[BaseException] = []

    class Clock(ManualClock):
        def now(self) -> int:
            if front:
                try:
                    front[0].users.list()
                except RuntimeError as error:
                    raised.append(error)
            return super().now()

    front: list[blocking.BlockingSojourn] = []
    config = Config(database_url="memory://", sweep=False)
    with blocking.open(config=config, clock=Clock()) as sojourn:
        front.append(sojourn)
        sojourn.users.ensure(external_id="42")
        front.clear()
    assert raised


@pytest.mark.parametrize("url", ["memory://", "sqlite:///app.db"])
def test_a_program_that_leaves_it_open_can_end(tmp_path: Path, url: str) -> None:
    """A program that ends without closing the front is neither held up nor alarmed by its thread: the sweeper
    meets an interpreter that starts no threads any more, for as long as the last exit handler sleeps."""
    code = (
        "import atexit, time\n"
        "from sojourn import Config, blocking\n"
        f"opened = blocking.open('{url}', config=Config(sweep_interval_seconds=0.01))\n"
        "sojourn = opened.__enter__()\n"
        "atexit.register(time.sleep, 0.3)\n"
        "print(sojourn.users.ensure(external_id='42').id[:5])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environment(),
    )
    assert (done.returncode, done.stdout) == (0, "user_\n"), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
