"""How secrets lie in the database: sealed under a master key, or plain and saying so.

Both forms start with four bytes that tell them apart and carry their version, so that a database is
recognisable without its key, and a form of tomorrow is refused rather than misread:

    sealed:  "sjs" 0x01 | key id, 8 bytes | nonce, 12 bytes | ciphertext and tag of AES-256-GCM
    plain:   "sjp" 0x01 | the secret as it is

The associated data is everything before the nonce and then the row's id: a sealed value copied to another
row, or given another version or key id, does not open.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
"""Length of the nonce, the one that GCM takes as it is (NIST SP 800-38D, section 5.2.1.1)."""


class EnvelopeError(ValueError):
    """A stored secret cannot be opened."""


class WrongMasterKey(EnvelopeError):
    """The secret is sealed with another master key than the one given, or with one where none was given."""


class NotSealed(EnvelopeError):
    """The secret is not sealed, or not an envelope at all."""


class Corrupt(EnvelopeError):
    """The secret is sealed with this master key, but was damaged, altered or moved from another row."""


@dataclass(frozen=True, slots=True, eq=False)
class MasterKey:
    """The 32 bytes under which secrets are sealed. Its repr shows the id only.

    Raises ValueError on construction unless they are 32. Compare two by their `id`.
    """

    key: bytes = field(repr=False)
    id: str = field(init=False)
    """16 hex digits that name the key and tell nothing about it."""

    def __post_init__(self) -> None:
        if len(self.key) != 32:
            raise ValueError("a master key is 32 bytes")
        digest = hmac.new(self.key, _ID_LABEL, hashlib.sha256).digest()
        object.__setattr__(self, "id", digest[:_ID_BYTES].hex())

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Read a master key from base64, standard or URL-safe, padded or not.

        White space around it is let pass, as `openssl rand -base64 32` prints some. Raises ValueError, which
        never shows the text, for anything else and for 32 equal bytes, which are somebody's placeholder.
        """
        key = _decode_base64(text.strip())
        # Raised out here, so that no exception holding the text hangs on as context.
        if key is None or len(key) != 32:
            raise ValueError("the master key is not the base64 of 32 bytes")
        if len(set(key)) == 1:
            raise ValueError("the master key is a placeholder: make one with `openssl rand -base64 32`")
        return cls(key)


def seal(plaintext: bytes, *, master: MasterKey, nonce: bytes, row_id: str) -> bytes:
    """Encrypt `plaintext` for the row `row_id`.

    `nonce` is 12 random bytes never used before with this master key: GCM loses both secrecy and integrity on
    the second use. Raises ValueError for a nonce of another length or an empty row id.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce is {NONCE_BYTES} bytes")
    prefix = _SEALED + bytes.fromhex(master.id)
    return prefix + nonce + AESGCM(master.key).encrypt(nonce, plaintext, _associated(prefix, row_id))


def unseal(blob: bytes, *, master: MasterKey, row_id: str) -> bytes:
    """Return what `seal` was given for this row.

    Raises NotSealed for a plain value or one of another kind: accepting it would let whoever can write to the
    database slip in a key of their own. Raises WrongMasterKey for another key's id, and Corrupt when the
    value does not open under the right one.
    """
    key_id = sealed_with(blob)
    if key_id is None:
        raise _unsealed_error(blob)
    if key_id != master.id:
        raise WrongMasterKey(f"sealed with master key {key_id}, not with {master.id}")
    prefix, nonce, body = blob[:_NONCE_AT], blob[_NONCE_AT:_BODY_AT], blob[_BODY_AT:]
    try:
        return AESGCM(master.key).decrypt(nonce, body, _associated(prefix, row_id))
    except InvalidTag:
        raise Corrupt("the sealed value does not open: altered, or moved from another row") from None


def wrap_plain(plaintext: bytes) -> bytes:
    """Mark `plaintext` as stored without a master key."""
    return _PLAIN + plaintext


def unwrap(blob: bytes, *, master: MasterKey | None, row_id: str) -> bytes:
    """Return the secret of a stored value, in the form that an instance with this master key, or none, keeps.

    With a master key only a sealed value opens, without one only a plain value does. Raises as `unseal` does,
    and WrongMasterKey for a sealed value where there is no master key.
    """
    if master is not None:
        return unseal(blob, master=master, row_id=row_id)
    if blob.startswith(_PLAIN):
        return blob[len(_PLAIN) :]
    key_id = sealed_with(blob)
    if key_id is not None:
        raise WrongMasterKey(f"sealed with master key {key_id}, and none is configured")
    raise _unsealed_error(blob)


def is_sealed(blob: bytes) -> bool:
    """Tell whether the value is in the sealed form, whether or not it opens."""
    return sealed_with(blob) is not None


def sealed_with(blob: bytes) -> str | None:
    """Return the id of the master key that the value says it is sealed with, or None if it is not sealed."""
    if not blob.startswith(_SEALED) or len(blob) < _BODY_AT + _TAG_BYTES:
        return None
    return blob[len(_SEALED) : _NONCE_AT].hex()


def _decode_base64(text: str) -> bytes | None:
    """Return the bytes of canonical base64 in either alphabet, or None."""
    try:
        raw = text.encode("ascii").translate(_TO_STANDARD).rstrip(b"=")
        padded = raw + b"=" * (-len(raw) % 4)
        key = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:
        return None
    return key if binascii.b2a_base64(key, newline=False) == padded else None


def _associated(prefix: bytes, row_id: str) -> bytes:
    # The prefix has a fixed length and the id comes last, so no two pairs give the same bytes.
    if not row_id:
        raise ValueError("a sealed value belongs to a row: its id is empty")
    return prefix + row_id.encode()


def _unsealed_error(blob: bytes) -> EnvelopeError:
    if blob.startswith(_PLAIN):
        return NotSealed("stored plain, where a master key is configured")
    if blob.startswith(_SEALED):
        return Corrupt("the sealed value is cut short")
    if blob.startswith((_SEALED[:3], _PLAIN[:3])):
        return Corrupt("the stored value has a version not known here")
    return NotSealed("not a value that sojourn stored")


_SEALED: Final = b"sjs\x01"
_PLAIN: Final = b"sjp\x01"
_ID_LABEL: Final = b"sojourn/master-key-id/v1"
_ID_BYTES: Final = 8
_TAG_BYTES: Final = 16
_NONCE_AT: Final = len(_SEALED) + _ID_BYTES
_BODY_AT: Final = _NONCE_AT + NONCE_BYTES
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
