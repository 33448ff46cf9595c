"""Keys for all tests of verifiers, made once."""

import pytest

from sojourn.tokens.keys import SigningKey


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """The key that the service signs with."""
    return SigningKey.generate("ins_sojourn1")


@pytest.fixture(scope="session")
def other_key() -> SigningKey:
    """Another key: the next one, or another instance's."""
    return SigningKey.generate("ins_sojourn2")
