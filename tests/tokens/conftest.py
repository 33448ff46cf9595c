"""Keys are made once for all tests of tokens: making RSA keys is what takes the time."""

import pytest

from sojourn.tokens.keys import SigningKey


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """The key that the verifier knows."""
    return SigningKey.generate("ins_sojourn1")


@pytest.fixture(scope="session")
def other_key() -> SigningKey:
    """A key under another kid, the attacker's or the next one."""
    return SigningKey.generate("ins_sojourn2")
