"""Deposits: what lies behind a secret that was handed out, found by the secret's hash and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DepositKind(StrEnum):
    """What kind of secret leads here."""

    REFRESH_TOKEN = "refresh_token"
    """Behind it lies the session that it may renew."""
    EXCHANGE = "exchange"
    """Behind a session token that was exchanged lies, sealed, the one that was given for it."""
    HANDSHAKE = "handshake"
    """Behind a nonce lie, sealed, the cookies that a server is to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Something kept for whoever presents a secret. Instants are integer milliseconds of Unix time.

    `digest` is the SHA-256 of the secret, which nobody can guess. What is itself a secret is in `sealed`,
    encrypted with a key that only the holder of a secret can compute (`tokens/sealing.py`).
    """

    kind: DepositKind
    digest: bytes = field(repr=False)
    created_at: int
    expire_at: int
    """From when on it counts as not there; purged some time after."""
    session_id: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
