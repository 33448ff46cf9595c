"""What is stored about keys: API keys as hashes, signing keys as blobs that only `tokens/` can open."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ApiKeyKind(StrEnum):
    """What an API key may do."""

    SECRET = "secret"  # the name of a kind, not a secret
    """Everything (`sk_…`)."""
    VERIFIER = "verifier"
    """Reads JWKS, the policy and the revocation feed, nothing else (`vk_…`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key. Only the SHA-256 of its text is kept: with 128 bits of entropy that needs no salt."""

    id: str
    kind: ApiKeyKind
    digest: bytes = field(repr=False)
    hint: str
    """The first characters, enough to tell keys apart and useless for guessing."""
    created_at: int
    revoked_at: int | None = None


class KeyUse(StrEnum):
    """What a stored private key is for."""

    SIGNING = "signing"
    HMAC = "hmac"
    TEMPLATE = "template"
    """The key of one template, which the application has given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A private key at rest: `material` is the envelope of `tokens/envelope.py`, sealed or marked as
    plain."""

    kid: str
    use: KeyUse
    algorithm: str
    state: str
    """upcoming, current, retired or withdrawn, as last written down (now: `tokens/keyring.py`)."""
    material: bytes = field(repr=False)
    """The private half; once the key has signed its last, the public one."""
    created_at: int
    activates_at: int
    """From when on it signs."""
    retired_at: int | None = None
    """Since when another key signs, or since when this one is withdrawn."""
    last_exp_at: int | None = None
    """No token of this key has a later `exp`; whole hours, and written before the token leaves."""
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyStatus:
    """What there is to say about a signing key; all instants are Unix ms."""

    kid: str
    algorithm: str
    state: str
    """upcoming (published only), current (it signs), retired (published only) or withdrawn (refused)."""
    created_at: int
    activates_at: int
    """From when on it signs."""
    retired_at: int | None = None
    published_until: int | None = None
    """Until when verifiers accept its tokens (exclusive); None while it signs or will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The one instance that a database serves."""

    id: str
    publishable_key: str
    epoch: str
    """Changes when history could have been rewritten (a restore); positions of another epoch are refused."""
    created_at: int
    master_key_id: str | None = None
    """Which master key sealed the stored keys; None: they lie in the clear."""
