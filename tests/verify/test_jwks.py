"""Where a verifier's keys come from: fetched once, renewed behind the request, gone when withdrawn."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from sojourn.tokens.keys import PublicKey, SigningKey
from sojourn.verify import (
    Reason,
    SignedIn,
)
from sojourn.verify.jwks import KEEP_MS, REFETCH_MS, RENEW_MS, read_set
from tests.tokens.builders import NOW
from tests.verify.helpers import Instant, Source, made, reason, remote, verifier_of


def set_of(*jwks: object) -> bytes:
    """A JWK set of these."""
    return json.dumps({"keys": jwks}).encode()


def test_t09_unknown_kids_cause_one_fetch_in_ten_seconds(key: SigningKey, other_key: SigningKey) -> None:
    """T-09: a flood of kids that nobody knows asks the service once; a new key is found after that."""
    clock, source = Instant(), Source(key.public)
    verifier, _ = remote(source, clock)
    assert isinstance(verifier.token(made(key)), SignedIn)
    clock.now += REFETCH_MS
    for number in range(200):
        token = made(other_key, {"kid": f"ins_unknown{number}"})
        assert reason(verifier.token(token)) is Reason.JWK_KID_MISMATCH
    assert source.asked == 2
    source.keys.append(other_key.public)
    assert reason(verifier.token(made(other_key))) is Reason.JWK_KID_MISMATCH
    clock.now += REFETCH_MS
    assert isinstance(verifier.token(made(other_key)), SignedIn)
    assert source.asked == 3


@pytest.mark.parametrize("kid", ["../../dev/null", "x' OR 1", "k" * 129, "\u0661", ""])
def test_t09_a_kid_is_never_part_of_a_request(key: SigningKey, kid: str) -> None:
    """T-09: whatever the kid, the one address of the key set is asked, or none."""
    source = Source(key.public)
    verifier, _ = remote(source, Instant())
    assert reason(verifier.token(made(key, {"kid": kid}))) is Reason.JWK_KID_MISMATCH
    assert source.asked <= 1


def test_a_flight_is_shared(key: SigningKey) -> None:
    """Threads and tasks that need the keys at once cause one fetch, and all get its result."""
    gate, arrived = threading.Event(), threading.Barrier(9)
    source = Source(key.public)

    def slow() -> bytes | Reason:
        gate.wait(30)
        return source()

    clock = Instant()
    verifier, keys = remote(source, clock)
    keys._fetch = slow  # pyright: ignore[reportPrivateUsage]
    token, found = made(key), []

    def ask() -> None:
        arrived.wait(30)
        found.append(verifier.token(token))

    async def asking() -> list[object]:
        tasks = [asyncio.create_task(verifier.token_async(token)) for _ in range(8)]
        await asyncio.sleep(0)
        tasks.pop().cancel()  # one that gives up takes nothing from the others
        gate.set()
        return await asyncio.gather(*tasks)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    arrived.wait(30)
    found += asyncio.run(asking())
    for thread in threads:
        thread.join(30)
    assert len(found) == 15
    assert all(isinstance(one, SignedIn) for one in found)
    assert source.asked == 1


def test_keys_are_renewed_behind_the_request(key: SigningKey, other_key: SigningKey) -> None:
    """A set that has an age is renewed while its keys go on being used; one that cannot be renewed is kept
    for an hour and no longer."""
    clock, source = Instant(), Source(key.public)
    verifier, keys = remote(source, clock)
    assert isinstance(verifier.token(made(key)), SignedIn)
    source.keys.append(other_key.public)
    clock.now += RENEW_MS
    assert keys.find(key.kid) is not None
    flight = keys.want(None)
    if flight is not None:
        flight.result(30)
    assert source.asked == 2
    assert keys.find(other_key.kid) is not None
    source.failure = Reason.JWK_REMOTE_FAILED_TO_LOAD
    clock.now += KEEP_MS - 1
    assert keys.find(key.kid) is not None
    # What that has begun behind it is over before the clock moves on: an attempt counts from its end.
    flight = keys.want(None)
    if flight is not None:
        flight.result(30)
    clock.now += REFETCH_MS
    assert reason(verifier.token(made(key, exp=NOW + 10**6))) is Reason.JWK_REMOTE_FAILED_TO_LOAD


def test_t27_a_key_that_left_the_set(key: SigningKey, other_key: SigningKey) -> None:
    """T-27: a token of a key that is published no more is refused although it was seen before; one of a key
    that is not yet published too."""
    clock, source = Instant(), Source(key.public)
    verifier, keys = remote(source, clock)
    token = made(key, exp=NOW + 3600)
    assert isinstance(verifier.token(token), SignedIn)
    assert reason(verifier.token(made(other_key))) is Reason.JWK_KID_MISMATCH
    source.keys = [other_key.public]
    clock.now += REFETCH_MS
    flight = keys.want(None)
    assert flight is not None
    assert flight.result(30) is None
    assert reason(verifier.token(token)) is Reason.JWK_KID_MISMATCH


def test_t22_two_instances_with_one_kid(key: SigningKey) -> None:
    """T-22: two verifiers in one process never take each other's key, though the kid is the same."""
    impostor = SigningKey.generate(key.kid)
    ours, theirs = verifier_of(key.public), verifier_of(impostor.public)
    token = made(key)
    assert isinstance(ours.token(token), SignedIn)
    assert reason(theirs.token(token)) is Reason.TOKEN_INVALID_SIGNATURE
    assert isinstance(theirs.token(made(impostor)), SignedIn)
    assert reason(ours.token(made(impostor))) is Reason.TOKEN_INVALID_SIGNATURE


def test_key_sets_of_any_kind(key: SigningKey, other_key: SigningKey) -> None:
    """Only usable RS256 keys are read out of a set; a kid that two keys have names neither, and what is no
    set has none."""
    good = key.public.jwk()
    assert set(read_set(set_of(key.public.jwk(), other_key.public.jwk()))) == {key.kid, other_key.kid}
    for odd in ({"kty": "EC"}, {**good, "kid": 5}, {**good, "d": "AQAB"}, [], None, {**good, "alg": "HS256"}):
        assert set(read_set(set_of(odd, good))) == {key.kid}
        twice = {**other_key.public.jwk(), "kid": key.kid}
        assert read_set(set_of(good, twice)) == {}
    for text in (b"", b"[]", b"{}", b'{"keys":5}', b"\xff", b"[" * 100_000, b" " * 300_000 + b"{}"):
        assert read_set(text) == {}


def test_a_public_key_tells_what_can_be_a_kid() -> None:
    """The rule for kids is one for keys and for tokens."""
    assert PublicKey.is_kid("ins_1")
    assert not any(PublicKey.is_kid(text) for text in ("", "k" * 129, "a\n", "é"))


def test_what_is_no_token_is_so_before_any_key_is_fetched(key: SigningKey) -> None:
    """A text that does not decode has one reason, whether or not the keys are there, and fetches none."""
    source = Source(key.public)
    verifier, _ = remote(source, Instant())
    broken = made(key) + "="
    assert reason(verifier.token(broken)) is Reason.TOKEN_INVALID
    assert source.asked == 0
    assert isinstance(verifier.token(made(key)), SignedIn)
    assert reason(verifier.token(broken)) is Reason.TOKEN_INVALID
