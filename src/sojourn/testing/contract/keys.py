"""Contract: API keys, stored keys, the instance, and what was done under an idempotency key."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from sojourn.core.keys import ApiKey, ApiKeyKind, KeyUse, StoredKey
from sojourn.service.ports import InsertApiKey, InsertOnce, PutInstance, PutStoredKey, Refused, Store
from sojourn.testing.contract.base import INSTANCE, NOW, ContractBase, refusal


def make_api_key(name: str, at: int = NOW, kind: ApiKeyKind = ApiKeyKind.SECRET) -> ApiKey:
    """An API key whose text is its name."""
    digest = sha256(name.encode()).digest()
    return ApiKey(id=f"key_{name}", kind=kind, digest=digest, hint=name[:4], created_at=at)


def make_stored_key(kid: str, **changes: object) -> StoredKey:
    """A signing key of odd bytes."""
    key = StoredKey(
        kid=kid,
        use=KeyUse.SIGNING,
        algorithm="RS256",
        state="current",
        material=bytes(range(256)),
        created_at=NOW,
        activates_at=NOW,
    )
    return replace(key, **changes)  # pyright: ignore[reportArgumentType]  # the fields of StoredKey


def make_once(name: str, at: int = NOW) -> InsertOnce:
    """The record of a creation under the idempotency key `name`."""
    digest = sha256(name.encode()).digest()
    return InsertOnce(digest=digest, fingerprint=digest[::-1], resource_id=f"sess_{name}", at=at)


class KeyContract(ContractBase):
    """The small tables."""

    async def test_api_keys_are_found_by_their_digest(self, store: Store) -> None:
        """Every field survives, of both kinds, revoked or not; another digest finds nothing."""
        secret = make_api_key("sk_1")
        verifier = replace(make_api_key("vk_1", kind=ApiKeyKind.VERIFIER), revoked_at=NOW + 1)
        assert await store.api_key(secret.digest) is None
        await store.commit([InsertApiKey(secret), InsertApiKey(verifier)])
        assert await store.api_key(secret.digest) == secret
        assert await store.api_key(verifier.digest) == verifier
        for other in (b"", b"\0" * 32, secret.digest[:-1], secret.digest + b"\0"):
            assert await store.api_key(other) is None

    async def test_api_keys_are_listed_oldest_first(self, store: Store) -> None:
        """All of them, whatever their ids."""
        assert list(await store.api_keys()) == []
        given = [make_api_key(name, NOW + n) for n, name in enumerate(("c", "a", "d", "b"))]
        for key in given:
            await store.commit([InsertApiKey(key)])
        assert list(await store.api_keys()) == given

    async def test_an_api_key_is_stored_once(self, store: Store) -> None:
        """The same text again is REPEATED, also under another id."""
        key = make_api_key("sk_1")
        await store.commit([InsertApiKey(key)])
        again = InsertApiKey(replace(key, id="key_other", created_at=NOW + 1))
        assert (await refusal(store, again)).why == Refused.REPEATED
        assert list(await store.api_keys()) == [key]

    async def test_stored_keys_are_put_by_their_kid(self, store: Store) -> None:
        """A new kid inserts, a known one replaces all of the key; bytes come back as they were."""
        assert list(await store.stored_keys()) == []
        first = make_stored_key("kid_1")
        second = make_stored_key(
            "kid_2", use=KeyUse.HMAC, algorithm="HS256", retired_at=NOW + 5, material=b""
        )
        await store.commit([PutStoredKey(first), PutStoredKey(second)])
        assert {key.kid: key for key in await store.stored_keys()} == {"kid_1": first, "kid_2": second}
        retired = replace(first, state="retired", last_exp_at=NOW, version=7, material=b"\0sealed")
        await store.commit([PutStoredKey(retired)])
        assert {key.kid: key for key in await store.stored_keys()} == {"kid_1": retired, "kid_2": second}

    async def test_there_is_one_instance(self, store: Store) -> None:
        """None before it is put; putting it again replaces it, whatever its id."""
        assert await store.instance() is None
        await store.commit([PutInstance(INSTANCE)])
        assert await store.instance() == INSTANCE
        other = replace(INSTANCE, id="ins_2", epoch="epoch2", master_key_id="mk_1")
        await store.commit([PutInstance(other)])
        assert await store.instance() == other

    async def test_a_creation_is_remembered_once(self, store: Store) -> None:
        """What was done under a key is found by its digest; the key again is REPEATED and changes nothing."""
        once = make_once("a")
        assert await store.once(once.digest) is None
        await store.commit([once])
        assert await store.once(once.digest) == once
        again = replace(once, fingerprint=b"other", resource_id="sess_other", at=NOW + 1)
        refused = await refusal(store, again)
        assert (refused.why, refused.operation) == (Refused.REPEATED, again)
        assert await store.once(once.digest) == once
        assert await store.once(make_once("b").digest) is None
