"""API keys: who may call, and how soon a change is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sojourn import Sojourn
from sojourn.core.errors import ConfigurationError
from sojourn.core.keys import ApiKey, ApiKeyKind
from sojourn.service.api_keys import CACHE_MS, digest_of
from sojourn.testing import ManualClock
from tests.embedded import watch
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
