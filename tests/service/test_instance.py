"""The instance: made once, met again, and the encryption of its keys at rest."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from sojourn import Config, Sojourn
from sojourn.core.errors import ConfigurationError, InvalidSessionToken, MasterKeyRefused
from sojourn.service.instance import frontend_host, publishable_key
from sojourn.testing import ManualClock
from sojourn.tokens import envelope
from sojourn.tokens.envelope import MasterKey
from tests.embedded import opened, store_of, user_id

FIRST, SECOND = "sk_test_aaaaaaaaaaaaaaaaaaaa", "sk_live_bbbbbbbbbbbbbbbbbbbb"
MASTER, OTHER = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 101))
PEM = b"PRIVATE KEY"


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A database that outlives its Sojourn."""
    return f"sqlite:///{tmp_path}/sojourn.db"


def raw_file(url: str, suffix: str = "") -> bytes:
    """The bytes of the database file, or of one beside it."""
    return Path(url.removeprefix("sqlite:///") + suffix).read_bytes()


def key_rows(url: str) -> list[bytes]:
    """The keys as they lie in the file, the one that signs before the one of the clients."""
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    try:
        return [row[0] for row in connection.execute("SELECT material FROM stored_keys ORDER BY use DESC")]
    finally:
        connection.close()


async def token_of(sojourn: Sojourn) -> str:
    """A token of a new session."""
    return await sojourn.tokens.create((await sojourn.sessions.create(user_id=await user_id(sojourn))).id)


async def test_the_first_start_makes_keys_once(file_url: str) -> None:
    """The first start makes instance, signing key and secret key; the second meets them and makes none."""
    async with opened(file_url) as first:
        instance, kid = first.instance, first.keys.current.kid
        assert first.new_secret_key is not None
        assert await first.api_keys.authenticate(first.new_secret_key)
        assert instance.id.startswith("ins_")
        assert first.new_secret_key not in repr(instance)
        token = await token_of(first)
    async with opened(file_url) as second:
        assert (second.instance, second.new_secret_key) == (instance, None)
        assert second.keys.current.kid == kid
        assert len(await second.api_keys.list()) == 1
        assert await second.tokens.verify(token)


async def test_given_keys_are_taken(file_url: str) -> None:
    """With a secret key given none is made; a new one given later is added beside it."""
    async with opened(file_url, secret_key=(FIRST,), publishable_key=publishable_key("id.x.org")) as sojourn:
        assert sojourn.new_secret_key is None
        assert sojourn.issuer == "https://id.x.org"
    async with opened(file_url, secret_key=(SECOND,)) as sojourn:
        assert await sojourn.api_keys.authenticate(FIRST)
        assert await sojourn.api_keys.authenticate(SECOND)


async def test_kinds_of_keys_need_not_match() -> None:
    """A live secret key goes with a test publishable key."""
    key = publishable_key("id.x.org").replace("live", "test")
    async with opened(secret_key=(SECOND,), publishable_key=key) as sojourn:
        assert sojourn.instance.publishable_key == key


async def test_another_publishable_key_is_refused(file_url: str) -> None:
    """A database belongs to one publishable key; the refusal names it."""
    async with opened(file_url, publishable_key=publishable_key("a.x.org")):
        pass
    with pytest.raises(ConfigurationError, match=publishable_key("a.x.org")):
        async with opened(file_url, publishable_key=publishable_key("b.x.org")):
            pass


@pytest.mark.parametrize(
    "settings",
    [
        {"secret_key": ("sk_short",)},
        {"publishable_key": "pk_test_"},
        {"publishable_key": "pk_test_" + base64.b64encode(b"localhost$").decode()},
        {"master_key": "AAAA"},
    ],
)
async def test_a_refused_start_leaves_nothing_behind(file_url: str, settings: dict[str, Any]) -> None:
    """Unusable settings refuse before the instance is made: corrected, the next start is the first."""
    with pytest.raises(ConfigurationError):
        async with opened(file_url, **settings):
            pass
    async with opened(file_url) as sojourn:
        assert sojourn.new_secret_key is not None


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::", "::1", "127.0.0.1"])
async def test_hosts_that_verifiers_do_not_take(host: str) -> None:
    """Listening on a host without a dot or on all of them still makes a publishable key that SDKs accept."""
    async with opened(host=host, port=8787) as sojourn:
        assert frontend_host(sojourn.instance.publishable_key) == "127.0.0.1:8787"
        assert sojourn.issuer == "https://127.0.0.1:8787"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "pk",
        "pk_test",
        "pk_prod_aWQueC5vcmck",
        "sk_test_aWQueC5vcmck",
        "pk_test_aWQueC5vcmc",
        "pk_test_%%%",
        *(f"pk_test_{base64.b64encode(host.encode()).decode()}" for host in ("a.b$c$", "a b.c$", "ä.org$")),
    ],
)
def test_malformed_publishable_keys(key: str) -> None:
    """Only pk_test_ or pk_live_ with the base64 of a host and $ is a publishable key."""
    with pytest.raises(ConfigurationError):
        frontend_host(key)


def test_publishable_keys_with_and_without_padding() -> None:
    """The padding of base64 may be left out."""
    for host in ("id.x.org", "a.io", "127.0.0.1:80"):
        assert frontend_host(publishable_key(host)) == host
        assert frontend_host(publishable_key(host).rstrip("=")) == host


async def test_racing_first_starts_make_one_instance(file_url: str, clock: ManualClock) -> None:
    """Several processes that start on one empty database agree on the instance; one announces a key."""

    async def start() -> tuple[str, bool]:
        async with opened(file_url, clock=clock) as sojourn:
            return sojourn.instance.id, sojourn.new_secret_key is not None

    started = await asyncio.gather(*(start() for _ in range(5)))
    assert len({instance for instance, _ in started}) == 1
    assert [made for _, made in started].count(True) == 1


async def test_without_a_master_key_there_is_a_warning(
    file_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys that lie in the clear are warned of at every start, and they do lie in the clear."""
    for _ in range(2):
        caplog.clear()
        async with opened(file_url):
            pass
        assert [r.levelname for r in caplog.records if "in the clear" in r.message] == ["WARNING"]
    assert PEM in key_rows(file_url)[0]


async def test_with_a_master_key_nothing_lies_in_the_clear(
    file_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """From the first start on the stored key is sealed with the master key that was given."""
    async with opened(file_url, master_key=MASTER) as sojourn:
        token = await token_of(sojourn)
    assert "in the clear" not in caplog.text
    row, _ = key_rows(file_url)
    assert PEM not in row
    assert envelope.sealed_with(row) == MasterKey.parse(MASTER).id
    async with opened(file_url, master_key=MASTER) as sojourn:
        assert await sojourn.tokens.verify(token)


@pytest.mark.parametrize("scrubbed", [True, False])
async def test_a_key_encrypted_later_is_gone_in_the_clear(
    file_url: str, scrubbed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No piece of a key that lay in the clear is left in database or log while the service runs on; without
    scrubbing, the control, it is."""
    async with opened(file_url) as sojourn:
        plain = key_rows(file_url)[0]
    piece = plain.splitlines()[5]
    assert piece in raw_file(file_url)
    if not scrubbed:

        async def nothing(_store: object) -> None:
            pass

        monkeypatch.setattr("sojourn.stores.sqlite.store.SqliteStore.scrub", nothing)
    async with opened(file_url, master_key=MASTER) as sojourn:
        assert (piece not in raw_file(file_url) + raw_file(file_url, "-wal")) is scrubbed
        assert await token_of(sojourn)


async def test_a_master_key_given_later_encrypts(file_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """What lay in the clear is sealed at the first start with a master key; earlier tokens still verify."""
    async with opened(file_url) as sojourn:
        token, kid = await token_of(sojourn), sojourn.keys.current.kid
    async with opened(file_url, master_key=MASTER) as sojourn:
        assert sojourn.keys.current.kid == kid
        assert await sojourn.tokens.verify(token)
        stored = await store_of(sojourn).instance()
        assert stored is not None
        assert stored.master_key_id == sojourn.instance.master_key_id == MasterKey.parse(MASTER).id
    row, of_clients = key_rows(file_url)
    assert envelope.is_sealed(row)
    assert envelope.is_sealed(of_clients)
    assert PEM not in row
    assert "now encrypted" in caplog.text
    assert PEM not in raw_file(file_url)


@pytest.mark.parametrize("given", [None, OTHER])
async def test_a_wrong_or_missing_master_key_refuses_to_start(file_url: str, given: str | None) -> None:
    """An encrypted database opens with its master key only, and a refusal changes nothing."""
    async with opened(file_url, master_key=MASTER):
        pass
    before = key_rows(file_url)
    with pytest.raises(MasterKeyRefused) as error:
        async with opened(file_url, master_key=given):
            pass
    assert MASTER not in error.value.detail
    assert key_rows(file_url) == before
    async with opened(file_url, master_key=MASTER):
        pass


async def test_a_plain_key_slipped_in_is_refused(file_url: str) -> None:
    """Whoever can write to an encrypted database cannot make the service sign with a key of theirs."""
    async with opened(file_url):
        pass
    plain, _ = key_rows(file_url)
    async with opened(file_url, master_key=MASTER):
        pass
    connection = apsw.Connection(file_url.removeprefix("sqlite:///"))
    connection.execute("UPDATE stored_keys SET material = ?", (plain,))
    connection.close()
    with pytest.raises(MasterKeyRefused):
        async with opened(file_url, master_key=MASTER):
            pass


@pytest.mark.parametrize(
    ("old", "new"), [(None, MASTER), (MASTER, OTHER), (MASTER, None)], ids=["seal", "change", "open"]
)
async def test_rekey(file_url: str, old: str | None, new: str | None) -> None:
    """Afterwards the database opens with the new key only, and signs with the same signing key."""
    async with opened(file_url, master_key=old) as sojourn:
        token = await token_of(sojourn)
        await sojourn.rekey(None if new is None else MasterKey.parse(new))
        # The one that did it goes on, and may look into the store again.
        await sojourn._held.load()
        assert await sojourn.tokens.verify(token)
    for row in key_rows(file_url):
        assert envelope.sealed_with(row) == (None if new is None else MasterKey.parse(new).id)
    async with opened(file_url, master_key=new) as sojourn:
        assert await sojourn.tokens.verify(token)
    if new is not None:  # a database in the clear takes any master key
        with pytest.raises(MasterKeyRefused):
            async with opened(file_url, master_key=old):
                pass


async def test_a_running_service_survives_a_rekey_elsewhere(file_url: str, clock: ManualClock) -> None:
    """Its ring stays good, and a token with an unknown key is a refusal of the token, not a fault."""
    async with opened(file_url, clock=clock, master_key=MASTER) as running:
        token = await token_of(running)
        async with opened(file_url, clock=clock, master_key=MASTER) as other:
            await other.rekey(MasterKey.parse(OTHER))
        async with opened(clock=clock) as stranger:
            unknown = await token_of(stranger)
        clock.advance(seconds=11)
        with pytest.raises(InvalidSessionToken):
            await running.tokens.verify(unknown)
        assert await running.tokens.verify(token)


async def test_settings_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a config the SOJOURN_* variables count, and the arguments of open win over them."""
    for name in ("VECTORS", "SPECS", "FAULTS"):
        monkeypatch.delenv(f"SOJOURN_{name}", raising=False)
    monkeypatch.setenv("SOJOURN_DATABASE_URL", f"sqlite:///{tmp_path}/env.db")
    monkeypatch.setenv("SOJOURN_SECRET_KEY", FIRST)
    async with Sojourn.open() as sojourn:
        assert await sojourn.api_keys.authenticate(FIRST)
    async with Sojourn.open(f"sqlite:///{tmp_path}/argument.db"):
        pass
    assert sorted(name for name in os.listdir(tmp_path) if name.endswith(".db")) == ["argument.db", "env.db"]
    with caplog.at_level(logging.DEBUG):
        assert FIRST not in repr(Config(secret_key=(FIRST,), master_key=MASTER))


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///", "sqlite:///x?mode=ro", "postgres://x", "x.db", "sqlite:///:memory:"],
)
async def test_unusable_database_urls(url: str) -> None:
    """A URL that names no store is refused, and so is an SQLite database that would vanish."""
    with pytest.raises(ConfigurationError):
        async with opened(url):
            pass


async def test_the_check_of_readiness(file_url: str) -> None:
    """The check passes while the store answers with its instance."""
    async with opened(file_url) as sojourn:
        await sojourn.check()
