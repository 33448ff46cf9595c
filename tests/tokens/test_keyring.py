"""The key ring: which key signs and which are published, at every instant."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.tokens import jws
from sojourn.tokens.keyring import HOUR_MS, SKEW_MS, KeyEntry, KeyRing, KeyState, whole_hour
from sojourn.tokens.keys import SigningKey
from tests.tokens.builders import NOW_MS, entry

KEYS = [SigningKey.generate(f"ins_ring{number}") for number in range(4)]
"""Four keys in the order in which they were made."""
ORDER = list(KeyState)
END = NOW_MS + HOUR_MS + SKEW_MS
"""Until when the retired key of `entries` is published."""


@pytest.fixture
def entries() -> list[KeyEntry]:
    """One retired now, one current, one upcoming in a minute, one withdrawn."""
    return [
        entry(KEYS[0].public, KeyState.RETIRED, NOW_MS - 4000, retired_at=NOW_MS),
        entry(KEYS[1], KeyState.CURRENT, NOW_MS - 3000, activates_at=NOW_MS),
        entry(KEYS[2], KeyState.UPCOMING, NOW_MS - 2000, activates_at=NOW_MS + 60_000),
        entry(KEYS[3].public, KeyState.WITHDRAWN, NOW_MS - 1000, retired_at=NOW_MS),
    ]


def test_the_clock_alone_makes_a_key_sign(entries: list[KeyEntry]) -> None:
    """The upcoming key signs from its instant on, and the one before is retired since then; nothing is
    written."""
    ring = KeyRing(entries)
    assert ring.signing(NOW_MS + 59_999) is KEYS[1]
    assert ring.current(NOW_MS + 59_999) == entries[1]
    assert ring.signing(NOW_MS + 60_000) is KEYS[2]
    assert ring.current(NOW_MS + 60_000) == replace(entries[2], state=KeyState.CURRENT)
    settled = {e.kid: e for e in ring.settled(NOW_MS + 60_000)}
    gone = replace(entries[1], state=KeyState.RETIRED, retired_at=NOW_MS + 60_000)
    assert settled[KEYS[1].kid] == gone
    assert KeyRing(ring.settled(NOW_MS + 60_000)).signing(0) is KEYS[2]


def test_what_is_written_down_does_not_go_back(entries: list[KeyEntry]) -> None:
    """A key that is stored as current signs whatever the clock says, and a retired one never again."""
    for now in (0, NOW_MS - 1, NOW_MS):
        assert KeyRing(entries).signing(now) is KEYS[1]


def test_public_finds_every_published_key(entries: list[KeyEntry]) -> None:
    """Upcoming and current keys verify always, a retired one until its end, exclusive, a withdrawn one
    never."""
    ring = KeyRing(entries)
    assert [ring.public(k.kid, now_ms=NOW_MS) for k in KEYS] == [*(k.public for k in KEYS[:3]), None]
    assert ring.public(KEYS[0].kid, now_ms=END - 1) == KEYS[0].public
    assert ring.public(KEYS[0].kid, now_ms=END) is None
    assert ring.public(KEYS[3].kid, now_ms=0) is None
    assert ring.public("ins_other", now_ms=NOW_MS) is None


def test_a_key_is_published_as_long_as_a_token_of_it_is_good(entries: list[KeyEntry]) -> None:
    """Until the last `exp` that it signed and a minute more, and never less than an hour."""
    for last, end in ((None, END), (NOW_MS, END), (NOW_MS + 10**10, NOW_MS + 10**10 + SKEW_MS)):
        ring = KeyRing([replace(entries[0], last_exp_at=last), *entries[1:]])
        assert ring.public(KEYS[0].kid, now_ms=end - 1)
        assert ring.public(KEYS[0].kid, now_ms=end) is None
    raised = KeyRing(entries).raised(KEYS[1].kid, NOW_MS + 10**10).raised(KEYS[1].kid, NOW_MS)
    assert raised.last_exp_at(KEYS[1].kid) == NOW_MS + 10**10
    assert raised.public(KEYS[1].kid, now_ms=NOW_MS + 10**10 + SKEW_MS - 1)
    assert raised.public(KEYS[1].kid, now_ms=NOW_MS + 10**10 + SKEW_MS) is None


def test_whole_hours() -> None:
    """An instant is rounded up, a whole hour stays."""
    assert [whole_hour(ms) for ms in (0, 1, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1)] == [
        0,
        HOUR_MS,
        HOUR_MS,
        HOUR_MS,
        2 * HOUR_MS,
    ]


def test_jwks_is_what_verifiers_may_use(entries: list[KeyEntry]) -> None:
    """The set holds the public JWK of each published key, the one that signs first, then the newest."""
    ring = KeyRing(entries)

    def kids(now: int) -> list[str]:
        return [jwk["kid"] for jwk in ring.jwks(now)["keys"]]

    assert ring.jwks(NOW_MS) == {"keys": [KEYS[n].public.jwk() for n in (1, 2, 0)]}
    assert kids(NOW_MS + 60_000) == [KEYS[n].kid for n in (2, 1, 0)]
    assert kids(END) == [KEYS[n].kid for n in (2, 1)]
    assert kids(END + 60_000) == [KEYS[2].kid]


def test_jwks_never_holds_private_members(entries: list[KeyEntry]) -> None:
    """No published key has any member beyond the public six."""
    for jwk in KeyRing(entries).jwks(NOW_MS)["keys"]:
        assert set(jwk) == {"use", "kty", "kid", "alg", "n", "e"}


def test_tokens_of_every_published_key_verify(entries: list[KeyEntry]) -> None:
    """Before, at and after a rotation a token verifies against the same ring."""
    ring = KeyRing(entries)
    for key in KEYS[:3]:
        token = jws.sign({"sub": "user_1"}, key, category=jws.SESSION)
        for now in (NOW_MS, NOW_MS + 60_000, NOW_MS + HOUR_MS):
            assert jws.verify(token, ring.at(now)).header.kid == key.kid


def test_ring_keeps_its_entries(entries: list[KeyEntry]) -> None:
    """Entries come back in order, and a ring built from them is the same; the source may change later."""
    ring = KeyRing(iter(entries))
    assert [e.state for e in ring.entries] == ["current", "withdrawn", "upcoming", "retired"]
    assert KeyRing(ring.entries).entries == ring.entries
    assert repr(KeyRing(entries[:2])) == "KeyRing(ins_ring1: current, ins_ring0: retired)"


def test_exactly_one_current(entries: list[KeyEntry]) -> None:
    """A ring without a key stored as current, or with two, is refused."""
    for wrong in ([], [entries[0], entries[2]], [*entries[:2], entry(KEYS[2], KeyState.CURRENT)]):
        with pytest.raises(ValueError, match="exactly one"):
            KeyRing(wrong)


def test_kid_and_key_are_there_once(entries: list[KeyEntry]) -> None:
    """A kid used for two keys is refused, and so is a key under two kids."""
    again = SigningKey.generate(KEYS[0].kid)
    with pytest.raises(ValueError, match="kid is used twice"):
        KeyRing([*entries, entry(again, KeyState.UPCOMING)])
    renamed = SigningKey("ins_renamed", "RS256", KEYS[1].private)
    with pytest.raises(ValueError, match="under two kids"):
        KeyRing([*entries, entry(renamed, KeyState.UPCOMING)])


def test_entry_must_fit_its_state() -> None:
    """A key that signs no more says since when, the others do not and need their private half, and the kids
    agree."""
    key = KEYS[0]
    for state in (KeyState.RETIRED, KeyState.WITHDRAWN):
        with pytest.raises(ValueError, match="needs retired_at"):
            entry(key, state)
    for state in (KeyState.UPCOMING, KeyState.CURRENT):
        with pytest.raises(ValueError, match="has no retired_at"):
            entry(key, state, retired_at=1)
        with pytest.raises(ValueError, match="private half"):
            entry(key.public, state)
    with pytest.raises(ValueError, match="has the kid"):
        KeyEntry(kid="ins_other", state=KeyState.CURRENT, key=key, created_at=0, activates_at=0)


def test_repr_of_an_entry_is_blind(entries: list[KeyEntry]) -> None:
    """An entry shows its state and kid, and nothing of the key."""
    assert "PRIVATE" not in repr(entries[1])
    assert "object at" not in repr(entries[1])


INSTANTS = st.integers(0, 3 * HOUR_MS).map(lambda ms: NOW_MS + ms)


@given(
    activations=st.lists(INSTANTS, max_size=3),
    exps=st.lists(st.none() | INSTANTS, min_size=4, max_size=4),
    moments=st.lists(INSTANTS, min_size=1, max_size=6).map(sorted),
    written=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whatever_the_line_of_keys(
    activations: list[int], exps: list[int | None], moments: list[int], written: list[bool]
) -> None:
    """However many keys are in line: as time goes on one signs at every instant, the latest whose time has
    come; states only move down their list; a key that signs is published, and one that has signed until its
    last `exp`; and whether a sweep has written it down in between cannot be told."""
    line = [entry(KEYS[0], KeyState.CURRENT, NOW_MS - 1, last_exp_at=exps[0] or 0)]
    for key, at, exp in zip(KEYS[1:], activations, exps[1:], strict=False):
        line.append(entry(key, KeyState.UPCOMING, NOW_MS, activates_at=at, last_exp_at=exp or 0))
    ring = swept = KeyRing(line)
    seen = {e.kid: KeyState.UPCOMING for e in line}
    for now, write in zip(moments, written, strict=False):
        settled = {e.kid: e for e in ring.settled(now)}
        signing = ring.signing(now)
        due = [e for e in line if e.activates_at <= now]
        assert settled[signing.kid].activates_at == max(e.activates_at for e in due)
        assert [e.kid for e in settled.values() if e.state is KeyState.CURRENT] == [signing.kid]
        for e in line:
            assert ORDER.index(settled[e.kid].state) >= ORDER.index(seen[e.kid])
            seen[e.kid] = settled[e.kid].state
            good = e.last_exp_at is not None and now < e.last_exp_at + SKEW_MS
            if e.kid == signing.kid or seen[e.kid] is KeyState.UPCOMING or good:
                assert ring.public(e.kid, now_ms=now) is e.public
        assert (swept.settled(now), swept.jwks(now)) == (ring.settled(now), ring.jwks(now))
        if write:
            swept = KeyRing(swept.settled(now))
