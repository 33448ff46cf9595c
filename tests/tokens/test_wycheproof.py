"""The JOSE vectors of C2SP/wycheproof against the verifier (RELIABILITY.md, section 1.5).

Wycheproof signs bytes such as "foo", which are no claims, so the vectors are put to `verify_signature`, the
layer of `verify` that takes any payload. What `verify` adds only refuses more.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sojourn.tokens import jws
from sojourn.tokens.jws import TokenError
from sojourn.tokens.keys import PublicKey, SigningKey

ERRATA = {
    346: "marked valid, but a PS384 token under a key whose alg is PS256: one key is for one algorithm",
    350: "marked valid, but a PS384 token under a key whose alg is PS256: one key is for one algorithm",
    367: "marked invalid, but byte-identical to 357, which is marked valid (C2SP/wycheproof issue 236)",
    370: "marked invalid, but byte-identical to 357, which is marked valid (C2SP/wycheproof issue 236)",
    372: "marked valid, but has a '?' in the header's base64url, against RFC 7515, section 2",
    373: "marked valid, but has a '?' in the payload's base64url, against RFC 7515, section 2",
}
"""The disputed vectors of json_web_signature_test.json. The verifier refuses all six: none is for RS256."""


def vectors(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every test of a file with the group it is in; skipped without the folder, which fails in CI."""
    path = Path(os.environ.get("SOJOURN_VECTORS", "")) / f"{name}.json"
    if "SOJOURN_VECTORS" not in os.environ or not path.is_file():
        reason = f"SOJOURN_VECTORS does not name a folder with {name}.json"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    groups = json.loads(path.read_text())["testGroups"]
    return [(group, test) for group in groups for test in group["tests"]]


def published(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The JWKs that a verifier is given: the public ones, or the shared secrets where there are none."""
    given = group.get("public") or group["private"]
    return given.get("keys", [given])


def accepts(token: str, jwks: list[dict[str, Any]]) -> bool:
    """Whether a verifier that trusts these JWKs, each strictly read, takes the signature."""
    keys: dict[str, PublicKey] = {}
    for jwk in jwks:
        try:
            key = PublicKey.from_jwk(jwk)
        except ValueError:
            continue
        keys[key.kid] = key
    try:
        jws.verify_signature(token, keys)
    except TokenError:
        return False
    return True


def is_ours(group: dict[str, Any]) -> bool:
    """Whether the vector's keys are RS256 keys, the one algorithm that is offered."""
    return all(jwk.get("alg") == "RS256" for jwk in published(group))


def judge(name: str, errata: dict[int, str]) -> tuple[Counter[str], list[str]]:
    """Count the vectors by what was right about them, and list the deviations."""
    right: Counter[str] = Counter()
    wrong: list[str] = []
    for group, test in vectors(name):
        if "jws" not in test:
            continue
        expected = test["result"] == "valid" and is_ours(group) and test["tcId"] not in errata
        # Some of the older vectors are in the JSON serialization, which arrives as its text.
        token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
        if accepts(token, published(group)) is expected:
            right["accepted" if expected else "refused"] += 1
        else:
            wrong.append(f"{test['tcId']} {test['comment']}: {test['result']}")
    return right, wrong


def test_signature_vectors() -> None:
    """All 401 JWS vectors are right: 8 valid RS256 ones accepted, everything else refused."""
    right, wrong = judge("json_web_signature_test", ERRATA)
    assert wrong == []
    assert right == {"accepted": 8, "refused": 393}


def test_key_vectors() -> None:
    """All 26 JWK vectors are right: the one valid RS256 key is used, weak and misdeclared ones are not."""
    right, wrong = judge("json_web_key_test", {})
    assert wrong == []
    assert right == {"accepted": 1, "refused": 25}


def test_crypto_vectors() -> None:
    """The JWS half of the older mixed file is right too."""
    right, wrong = judge("json_web_crypto_test", {})
    assert wrong == []
    assert right == {"accepted": 1, "refused": 48}


def test_errata_are_about_other_algorithms() -> None:
    """Each disputed vector exists, is for an algorithm not offered, and is refused."""
    disputed = [pair for pair in vectors("json_web_signature_test") if pair[1]["tcId"] in ERRATA]
    assert len(disputed) == len(ERRATA)
    for group, test in disputed:
        assert not is_ours(group)
        assert not accepts(test["jws"], published(group))


def test_refused_whatever_key_is_there(key: SigningKey) -> None:
    """A vector of another algorithm is refused too where its kid leads to an RS256 key."""
    for group, test in vectors("json_web_signature_test"):
        if is_ours(group):
            continue
        with pytest.raises(TokenError):
            jws.verify_signature(test["jws"], lambda _: key.public)


def test_rs256_vectors_of_wrong_signatures_fail_at_the_signature() -> None:
    """Most invalid RS256 vectors get as far as the signature and fail there, so the keys were really used."""
    reasons: Counter[str] = Counter()
    for group, test in vectors("json_web_signature_test"):
        if is_ours(group) and test["result"] == "invalid":
            keys = {jwk["kid"]: PublicKey.from_jwk(jwk) for jwk in published(group)}
            with pytest.raises(TokenError) as caught:
                jws.verify_signature(test["jws"], keys)
            reasons[caught.value.reason] += 1
    assert reasons["token-invalid-signature"] > 200


def test_encryption_vectors(key: SigningKey) -> None:
    """All 139 JWE vectors are refused as tokens, with their own key or any other, by verify itself."""
    tokens = [(published(group), test["jwe"]) for group, test in vectors("json_web_encryption_test")]
    assert len(tokens) == 139
    for jwks, token in tokens:
        assert not accepts(token, jwks)
        with pytest.raises(TokenError):
            jws.verify(token, lambda _: key.public)
