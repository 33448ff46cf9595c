"""A verifier in a process of its own: the official Python SDK, or one that knows no better than its cache.

    python -m tests.faults.verify_python sdk|plain URL SECRET_KEY CACHE_SECONDS

Reads lines `<when to look again, Unix ms> <token>`, verifies each token when it comes and once more at that
time. Prints `ready` after the first, and one JSON object when there are no more: how many were verified, and
which were refused.
"""

from __future__ import annotations

import heapq
import json
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import jwt
from clerk_backend_api.security import verifytoken
from clerk_backend_api.security.types import TokenVerificationError, VerifyTokenOptions

UNKNOWN = "no such kid"
Verify = Callable[[str], str | None]
"""The reason why a token is refused, or None."""


def of_the_sdk(url: str, secret: str, cache_seconds: float) -> Verify:
    """`verify_token` of the SDK, unmodified but for how long its cache keeps a key."""
    vars(verifytoken)["__jwkcache"].expiration_time = cache_seconds
    options = VerifyTokenOptions(secret_key=secret, api_url=url)

    def verify(token: str) -> str | None:
        try:
            verifytoken.verify_token(token, options)
        except TokenVerificationError as error:
            return error.reason.name
        return None

    return verify


def plain(url: str, secret: str, cache_seconds: float) -> Verify:
    """A verifier that fetches the set when its cache has run out and at no other time."""
    keys: dict[str | None, jwt.PyJWK] = {}
    fetched_at = -cache_seconds

    def verify(token: str) -> str | None:
        nonlocal fetched_at, keys
        if time.monotonic() - fetched_at >= cache_seconds:
            answer = httpx.get(f"{url}/v1/jwks", headers={"Authorization": f"Bearer {secret}"}, timeout=30)
            keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
            fetched_at = time.monotonic()
        key = keys.get(jwt.get_unverified_header(token)["kid"])
        if key is None:
            return UNKNOWN
        try:
            jwt.decode(token, key, algorithms=["RS256"])
        except jwt.PyJWTError as error:
            return f"{type(error).__name__}: {error}"
        return None

    return verify


def main(kind: str, url: str, secret: str, cache_seconds: str) -> None:
    """Verify what comes, until nothing comes any more and everything has been looked at again."""
    verify = {"sdk": of_the_sdk, "plain": plain}[kind](url, secret, float(cache_seconds))
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: [*map(lines.put, sys.stdin), lines.put(None)], daemon=True).start()
    later: list[tuple[float, str]] = []
    verified, refused, ended = 0, Counter[str](), False

    def check(token: str) -> None:
        nonlocal verified
        verified += 1
        if reason := verify(token):
            refused[reason] += 1
        if verified == 1:
            sys.stdout.write("ready\n")
            sys.stdout.flush()

    while not ended or later:
        wait = max(0.0, later[0][0] / 1000 - time.time()) if later else None
        try:
            # Whatever has come goes first: it may be the first token of a key that nobody knows yet.
            line = None if ended else lines.get(timeout=wait)
            if ended and wait:
                time.sleep(wait)
            if line is None:
                ended = True
            else:
                again_at, token = line.split()
                check(token)
                heapq.heappush(later, (int(again_at), token))
        except queue.Empty:
            pass
        while later and later[0][0] / 1000 <= time.time():
            check(heapq.heappop(later)[1])
    sys.stdout.write(json.dumps({"verified": verified, "refused": dict(refused)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
