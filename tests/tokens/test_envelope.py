import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.tokens import envelope
from sojourn.tokens.envelope import Corrupt, MasterKey, NotSealed, WrongMasterKey

MASTER = MasterKey(bytes(range(32)))
OTHER = MasterKey(bytes(range(1, 33)))
NONCE = bytes(range(12))
STORED = "736a7301f128c59532cb4e6c000102030405060708090a0b3467b569a09174638cbb089d0bbdb96f9354519310e0"


def sealed(plaintext: bytes = b"secret", row_id: str = "key_1") -> bytes:
    """A value sealed under MASTER."""
    return envelope.seal(plaintext, master=MASTER, nonce=NONCE, row_id=row_id)


@given(
    plaintext=st.binary(max_size=200), nonce=st.binary(min_size=12, max_size=12), row_id=st.text(min_size=1)
)
def test_seal_round_trip(plaintext: bytes, nonce: bytes, row_id: str) -> None:
    """What is sealed for a row opens for that row and does not show through."""
    row_id = row_id.encode("utf-8", "replace").decode()
    blob = envelope.seal(plaintext, master=MASTER, nonce=nonce, row_id=row_id)
    assert envelope.unseal(blob, master=MASTER, row_id=row_id) == plaintext
    assert envelope.unwrap(blob, master=MASTER, row_id=row_id) == plaintext
    assert len(plaintext) < 8 or plaintext not in blob[24:]


def test_form_is_versioned_and_names_its_key() -> None:
    """The stored form starts with its kind and version, the key's id and the nonce, as documented."""
    blob = sealed()
    assert blob[:4] == b"sjs\x01"
    assert blob[4:12].hex() == MASTER.id == envelope.sealed_with(blob)
    assert blob[12:24] == NONCE
    assert len(blob) == 24 + len(b"secret") + 16


def test_form_does_not_change() -> None:
    """A value sealed by an earlier release opens: this one was written down once."""
    stored = bytes.fromhex(STORED)
    assert sealed() == stored
    assert envelope.unseal(stored, master=MASTER, row_id="key_1") == b"secret"


def test_moved_to_another_row_does_not_open() -> None:
    """The row's id is bound: the value of one row is worth nothing in another."""
    for row_id in ("key_2", "key_1 ", "KEY_1"):
        with pytest.raises(Corrupt):
            envelope.unseal(sealed(), master=MASTER, row_id=row_id)


def test_every_flipped_bit_is_found() -> None:
    """No bit of a sealed value can change unnoticed, version, key id and nonce included."""
    blob = sealed()
    for place in range(len(blob)):
        for bit in range(8):
            mutant = bytearray(blob)
            mutant[place] ^= 1 << bit
            with pytest.raises(envelope.EnvelopeError) as caught:
                envelope.unseal(bytes(mutant), master=MASTER, row_id="key_1")
            expected = Corrupt if place >= 12 or place == 3 else (NotSealed, Corrupt, WrongMasterKey)
            assert isinstance(caught.value, expected)


def test_every_cut_is_found() -> None:
    """A value cut short anywhere, or with something after it, does not open."""
    blob = sealed()
    for wrong in [blob[:length] for length in range(len(blob))] + [blob + b"\0"]:
        with pytest.raises((Corrupt, NotSealed)):
            envelope.unseal(wrong, master=MASTER, row_id="key_1")


@given(blob=st.binary(max_size=60), head=st.sampled_from([b"", b"sjs\x01", b"sjp\x01", b"sjs\x02", b"sjs"]))
@settings(max_examples=200)
def test_arbitrary_bytes_raise_envelope_errors_only(blob: bytes, head: bytes) -> None:
    """Nothing but EnvelopeError comes out for bytes that were never sealed."""
    with pytest.raises(envelope.EnvelopeError):
        envelope.unseal(head + blob, master=MASTER, row_id="key_1")


def test_another_master_key_is_told_apart_from_damage() -> None:
    """With the wrong master key the error says so, naming both ids."""
    with pytest.raises(WrongMasterKey, match=f"{MASTER.id}.*{OTHER.id}"):
        envelope.unseal(sealed(), master=OTHER, row_id="key_1")


def test_key_id_cannot_be_relabelled() -> None:
    """A value under another key that is given this key's id does not open."""
    blob = envelope.seal(b"secret", master=OTHER, nonce=NONCE, row_id="key_1")
    with pytest.raises(Corrupt):
        envelope.unseal(blob[:4] + bytes.fromhex(MASTER.id) + blob[12:], master=MASTER, row_id="key_1")


def test_plain_form_is_marked() -> None:
    """A value stored without a master key says so, and opens only where there is none."""
    blob = envelope.wrap_plain(b"secret")
    assert blob == b"sjp\x01secret"
    assert envelope.unwrap(blob, master=None, row_id="key_1") == b"secret"
    assert not envelope.is_sealed(blob)
    for opener in (envelope.unseal, envelope.unwrap):
        with pytest.raises(NotSealed, match="plain"):
            opener(blob, master=MASTER, row_id="key_1")


def test_sealed_value_without_a_master_key() -> None:
    """Where no master key is configured a sealed value is recognised and its key named."""
    assert envelope.is_sealed(sealed())
    with pytest.raises(WrongMasterKey, match=MASTER.id):
        envelope.unwrap(sealed(), master=None, row_id="key_1")


@pytest.mark.parametrize("blob", [b"", b"-----BEGIN", b"sj", b"secret"])
def test_values_of_another_kind(blob: bytes) -> None:
    """Bytes that were not stored by this module are neither form."""
    assert envelope.sealed_with(blob) is None
    for master in (MASTER, None):
        with pytest.raises(NotSealed):
            envelope.unwrap(blob, master=master, row_id="key_1")


@pytest.mark.parametrize("blob", [b"sjs\x02" + bytes(60), b"sjp\x02secret", b"sjs\x01" + bytes(10)])
def test_unknown_versions_and_stumps(blob: bytes) -> None:
    """A version of tomorrow or a stump is refused, not misread."""
    assert not envelope.is_sealed(blob)
    for master in (MASTER, None):
        with pytest.raises(Corrupt):
            envelope.unwrap(blob, master=master, row_id="key_1")


def test_errors_are_distinct_value_errors() -> None:
    """A caller can tell the three apart, or catch them all as ValueError."""
    assert issubclass(envelope.EnvelopeError, ValueError)
    assert len({WrongMasterKey, NotSealed, Corrupt}) == 3
    for error in (WrongMasterKey, NotSealed, Corrupt):
        assert error.__bases__ == (envelope.EnvelopeError,)


@pytest.mark.parametrize("nonce", [b"", bytes(11), bytes(13), bytes(16)])
def test_nonce_length(nonce: bytes) -> None:
    """A nonce is 12 bytes."""
    with pytest.raises(ValueError, match="12 bytes"):
        envelope.seal(b"secret", master=MASTER, nonce=nonce, row_id="key_1")


def test_row_id_must_not_be_empty() -> None:
    """A value always belongs to a row."""
    with pytest.raises(ValueError, match="row"):
        envelope.seal(b"secret", master=MASTER, nonce=NONCE, row_id="")


RAW = bytes([251, 255, 191, *range(29)])
STANDARD = base64.b64encode(RAW).decode()
URL_SAFE = base64.urlsafe_b64encode(RAW).decode()


@pytest.mark.parametrize(
    "text", [STANDARD, URL_SAFE, STANDARD.rstrip("="), URL_SAFE.rstrip("="), f" {STANDARD}\n"]
)
def test_parse_takes_either_base64(text: str) -> None:
    """Standard and URL-safe base64, padded or not, name the same key."""
    assert MasterKey.parse(text).id == MasterKey(RAW).id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hush",
        STANDARD[:-2],
        STANDARD + "AAAA",
        STANDARD.replace("A", "?"),
        "é" * 43,
        "\ud800",
        RAW.hex(),
        URL_SAFE[:42] + "d",
        f"{STANDARD[:20]} {STANDARD[20:]}",
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
    ],
)
def test_parse_never_shows_what_it_refuses(text: str) -> None:
    """Anything else is a ValueError that neither shows nor carries the text."""
    with pytest.raises(ValueError, match="master key") as caught:
        MasterKey.parse(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_master_key_is_32_bytes(size: int) -> None:
    """No other length is a master key."""
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(bytes(size))


def test_master_key_is_blind() -> None:
    """Repr and id of a master key show nothing of it, and ids differ between keys."""
    assert repr(MASTER) == f"MasterKey(id='{MASTER.id}')"
    assert len(MASTER.id) == 16
    assert MASTER.id != OTHER.id
    assert MASTER.id not in MASTER.key.hex()
