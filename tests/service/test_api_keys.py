"""API keys: who may call, and how soon a change is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sojourn import Sojourn
from sojourn.core.errors import ConfigurationError, LastSecretKey, NotFound
from sojourn.core.keys import ApiKey, ApiKeyKind
from sojourn.service.api_keys import CACHE_MS, digest_of
from sojourn.testing import ManualClock
from tests.embedded import all_events, opened, watch
from tests.service.conftest import Opening

FIRST, SECOND = "sk_test_aaaaaaaaaaaaaaaaaaaa", "sk_live_bbbbbbbbbbbbbbbbbbbb"


async def test_several_keys_are_live_at_once(opening: Opening) -> None:
    """All configured keys and all made ones work, each with its kind; no other text does."""
    async with opening(secret_key=(FIRST, SECOND)) as sojourn:
        verifier = await sojourn.api_keys.create(ApiKeyKind.VERIFIER)
        third = await sojourn.api_keys.create(ApiKeyKind.SECRET)
        assert third.startswith("sk_live_")
        assert verifier.startswith("vk_live_")
        for text, kind in [
            (FIRST, "secret"),
            (SECOND, "secret"),
            (third, "secret"),
            (verifier, "verifier"),
        ]:
            key = await sojourn.api_keys.authenticate(text)
            assert key is not None
            assert key.kind == kind
        for text in ("", FIRST[:-1], FIRST + "x", FIRST.upper(), "sk_test_", "\udcff", "é", verifier[:12]):
            assert await sojourn.api_keys.authenticate(text) is None
        assert [k.kind.value for k in await sojourn.api_keys.list()] == [
            "secret",
            "secret",
            "verifier",
            "secret",
        ]


async def test_only_a_hash_and_a_hint_are_kept(sojourn: Sojourn) -> None:
    """What is stored about a key tells its beginning, and neither its text nor its repr shows more."""
    text = await sojourn.api_keys.create(ApiKeyKind.SECRET)
    key = (await sojourn.api_keys.list())[-1]
    assert key.digest == digest_of(text)
    assert text.startswith(key.hint)
    assert len(key.hint) == 12
    assert text not in repr(key)
    assert key.digest.hex() not in repr(key)


async def test_adding_a_key_again_changes_nothing(sojourn: Sojourn) -> None:
    """A key that is known is left as it is."""
    await sojourn.api_keys.add(FIRST)
    before = await sojourn.api_keys.list()
    await sojourn.api_keys.add(FIRST)
    assert await sojourn.api_keys.list() == before


@pytest.mark.parametrize(
    "text",
    ["", "sk_", "sk_test_short", "pk_test_aaaaaaaaaaaaaaaaaaaa", "vk_test_aaaaaaaaaaaaaaaaaaaa",
     "sk_test_aaaaaaaaaaaaaaa\naaaa", "sk_test_äaaaaaaaaaaaaaaaaaaa", " sk_test_aaaaaaaaaaaaaaaaaaaa"],
)  # fmt: skip
async def test_unusable_keys_are_refused(sojourn: Sojourn, text: str) -> None:
    """Short keys, keys of another kind and unprintable ones are refused, without being repeated."""
    with pytest.raises(ConfigurationError) as error:
        await sojourn.api_keys.add(text)
    assert len(text) < 4 or text not in error.value.detail


async def test_twenty_characters_are_enough(sojourn: Sojourn) -> None:
    """The shortest key that is accepted has 20 characters."""
    with pytest.raises(ConfigurationError):
        await sojourn.api_keys.add("sk_" + "x" * 16)
    await sojourn.api_keys.add("sk_" + "x" * 17)
    assert await sojourn.api_keys.authenticate("sk_" + "x" * 17)


async def test_a_key_revoked_elsewhere_is_refused_within_the_bound(
    sojourn: Sojourn, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered key is asked for again after a second, and one that was revoked is then refused."""
    await sojourn.api_keys.add(FIRST)
    store = watch(sojourn)
    for _ in range(10):
        assert await sojourn.api_keys.authenticate(FIRST)
    assert store.calls["api_key"] == 1
    real = store.inner.api_key

    async def revoked(digest: bytes) -> ApiKey | None:
        key = await real(digest)
        return None if key is None else replace(key, revoked_at=clock.now())

    monkeypatch.setattr(store.inner, "api_key", revoked)
    clock.advance(ms=CACHE_MS)
    assert await sojourn.api_keys.authenticate(FIRST) is None


async def test_a_new_key_works_at_once(sojourn: Sojourn) -> None:
    """A refusal is not remembered: the key is accepted as soon as it exists."""
    assert await sojourn.api_keys.authenticate(FIRST) is None
    await sojourn.api_keys.add(FIRST)
    assert await sojourn.api_keys.authenticate(FIRST)


async def test_what_is_remembered_is_bounded(sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are presented, the cache stays small."""
    monkeypatch.setattr("sojourn.service.api_keys._CACHE_SIZE", 4)
    texts = [await sojourn.api_keys.create(ApiKeyKind.SECRET) for _ in range(12)]
    for text in texts * 2:
        assert await sojourn.api_keys.authenticate(text)
    assert len(sojourn.api_keys._cache) <= 4


async def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(
    opening: Opening, clock: ManualClock
) -> None:
    """The very next request with it is refused; it stays listed, others work on; revoking it again changes
    nothing and is not announced again."""
    async with opening(secret_key=(FIRST, SECOND)) as sojourn:
        first, second = await sojourn.api_keys.list()
        assert await sojourn.api_keys.authenticate(FIRST)
        at = clock.advance(seconds=5)
        revoked = await sojourn.api_keys.revoke(first.id)
        assert revoked == replace(first, revoked_at=at)
        assert sojourn.api_keys.remembered(FIRST) is None
        assert await sojourn.api_keys.authenticate(FIRST) is None
        assert await sojourn.api_keys.authenticate(SECOND)
        clock.advance(seconds=5)
        assert await sojourn.api_keys.revoke(first.id) == revoked
        assert list(await sojourn.api_keys.list()) == [revoked, second]
        (event,) = [e for e in await all_events(sojourn) if e.type.value == "api_key.revoked"]
        assert (event.at, event.resource_id) == (at, first.id)


async def test_the_last_secret_key_is_not_revoked_by_mistake(sojourn: Sojourn) -> None:
    """It says why; by force it is revoked, and verifiers' keys are nobody's last one."""
    (key,) = await sojourn.api_keys.list()
    verifier = await sojourn.api_keys.create(ApiKeyKind.VERIFIER)
    with pytest.raises(LastSecretKey, match="nobody can call"):
        await sojourn.api_keys.revoke(key.id)
    assert await sojourn.api_keys.authenticate(str(sojourn.new_secret_key))
    await sojourn.api_keys.revoke((await sojourn.api_keys.list())[1].id)
    assert await sojourn.api_keys.authenticate(verifier) is None
    await sojourn.api_keys.revoke(key.id, force=True)
    assert await sojourn.api_keys.authenticate(str(sojourn.new_secret_key)) is None


async def test_an_unknown_key_cannot_be_revoked(sojourn: Sojourn) -> None:
    """The id of a key that is not there is NotFound."""
    with pytest.raises(NotFound, match="key_none"):
        await sojourn.api_keys.revoke("key_none")


async def test_another_process_refuses_a_revoked_key_within_a_second(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A process that has just accepted a key asks for it again after a second, and refuses it."""
    url = f"sqlite:///{tmp_path}/sojourn.db"
    async with opened(url, clock=clock, secret_key=(FIRST, SECOND)) as one, opened(url, clock=clock) as other:
        assert await other.api_keys.authenticate(FIRST)
        await one.api_keys.revoke((await one.api_keys.list())[0].id)
        clock.advance(ms=CACHE_MS)
        assert await other.api_keys.authenticate(FIRST) is None


async def test_a_revoked_key_that_is_configured_stays_revoked(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A start with it in the settings does not bring it back, and warns of it."""
    url = f"sqlite:///{tmp_path}/sojourn.db"
    async with opened(url, clock=clock, secret_key=(FIRST, SECOND)) as sojourn:
        await sojourn.api_keys.revoke((await sojourn.api_keys.list())[0].id)
    async with opened(url, clock=clock, secret_key=(FIRST, SECOND)) as sojourn:
        assert await sojourn.api_keys.authenticate(FIRST) is None
    assert "is revoked" in caplog.text
    assert FIRST not in caplog.text
