import pytest

from sojourn.tokens import jws
from sojourn.tokens.keyring import KeyEntry, KeyRing, KeyState
from sojourn.tokens.keys import SigningKey

NOW_MS = 1_764_000_000_000


@pytest.fixture(scope="module")
def keys() -> list[SigningKey]:
    """Three keys in the order in which they were made."""
    return [SigningKey.generate(f"ins_ring{number}") for number in range(3)]


@pytest.fixture
def entries(keys: list[SigningKey]) -> list[KeyEntry]:
    """One retired, one current and one upcoming."""
    return [
        KeyEntry(keys[0].kid, KeyState.RETIRED, keys[0].public, NOW_MS - 3000, published_until=NOW_MS + 1000),
        KeyEntry(keys[1].kid, KeyState.CURRENT, keys[1], NOW_MS - 2000),
        KeyEntry(keys[2].kid, KeyState.UPCOMING, keys[2], NOW_MS - 1000),
    ]


def test_current_signs(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """The current key is the signing key of the one current entry."""
    assert KeyRing(entries).current is keys[1]


def test_public_finds_every_published_key(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """Upcoming and current keys verify always, a retired one until its end, exclusive."""
    ring = KeyRing(entries)
    assert [ring.public(key.kid, now_ms=NOW_MS) for key in keys] == [key.public for key in keys]
    assert ring.public(keys[0].kid, now_ms=NOW_MS + 999) == keys[0].public
    assert ring.public(keys[0].kid, now_ms=NOW_MS + 1000) is None
    assert ring.public("ins_other", now_ms=NOW_MS) is None


def test_jwks_is_what_verifiers_may_use(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """The set holds the public JWK of each published key, the current one first."""
    ring = KeyRing(entries)
    assert ring.jwks(NOW_MS) == {"keys": [keys[n].public.jwk() for n in (1, 2, 0)]}
    assert [jwk["kid"] for jwk in ring.jwks(NOW_MS + 1000)["keys"]] == [keys[1].kid, keys[2].kid]


def test_jwks_never_holds_private_members(entries: list[KeyEntry]) -> None:
    """No published key has any member beyond the public six."""
    for jwk in KeyRing(entries).jwks(NOW_MS)["keys"]:
        assert set(jwk) == {"use", "kty", "kid", "alg", "n", "e"}


def test_tokens_of_every_published_key_verify(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """Before, at and after a rotation a token verifies against the same ring."""
    ring = KeyRing(entries)
    for key in keys:
        token = jws.sign({"sub": "user_1"}, key, category=jws.SESSION)
        assert jws.verify(token, ring.at(NOW_MS)).header.kid == key.kid


def test_ring_keeps_its_entries(entries: list[KeyEntry]) -> None:
    """Entries come back in order, and a ring built from them is the same; the source may change later."""
    ring = KeyRing(iter(entries))
    assert [entry.state for entry in ring.entries] == ["current", "upcoming", "retired"]
    assert KeyRing(ring.entries).entries == ring.entries
    assert repr(ring) == "KeyRing(ins_ring1: current, ins_ring2: upcoming, ins_ring0: retired)"


def test_exactly_one_current(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """A ring without a current key, or with two, is refused."""
    for wrong in (
        [],
        [entries[0], entries[2]],
        [*entries[:2], KeyEntry(keys[2].kid, KeyState.CURRENT, keys[2], 0)],
    ):
        with pytest.raises(ValueError, match="exactly one"):
            KeyRing(wrong)


def test_kid_and_key_are_there_once(entries: list[KeyEntry], keys: list[SigningKey]) -> None:
    """A kid used for two keys is refused, and so is a key under two kids."""
    again = SigningKey.generate(keys[0].kid)
    with pytest.raises(ValueError, match="kid is used twice"):
        KeyRing([*entries, KeyEntry(again.kid, KeyState.UPCOMING, again, NOW_MS)])
    renamed = SigningKey("ins_renamed", "RS256", keys[1].private)
    with pytest.raises(ValueError, match="under two kids"):
        KeyRing([*entries, KeyEntry(renamed.kid, KeyState.UPCOMING, renamed, NOW_MS)])


def test_entry_must_fit_its_state(keys: list[SigningKey]) -> None:
    """A retired key needs an end, the others have none and need their private half, and the kids agree."""
    key = keys[0]
    with pytest.raises(ValueError, match="needs published_until"):
        KeyEntry(key.kid, KeyState.RETIRED, key, 0)
    for state in (KeyState.UPCOMING, KeyState.CURRENT):
        with pytest.raises(ValueError, match="only a retired key"):
            KeyEntry(key.kid, state, key, 0, published_until=1)
        with pytest.raises(ValueError, match="private half"):
            KeyEntry(key.kid, state, key.public, 0)
    with pytest.raises(ValueError, match="has the kid"):
        KeyEntry("ins_other", KeyState.CURRENT, key, 0)


def test_repr_of_an_entry_is_blind(entries: list[KeyEntry]) -> None:
    """An entry shows its state and kid, and nothing of the key."""
    assert "PRIVATE" not in repr(entries[1])
    assert "object at" not in repr(entries[1])
