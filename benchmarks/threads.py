"""Whether signing should leave the event loop: the same tokens, signed in the loop or by two threads.

Run alone: `python -m benchmarks.threads loop|thread SECONDS`; prints tokens a second at 32 in flight. On one
core; the service says in `service/tokens.py` why it signs in the loop.
"""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import uvloop

from sojourn.tokens import jws

_IN_FLIGHT = 32
_CLAIMS = {
    "exp": 1_800_000_060,
    "iat": 1_800_000_000,
    "iss": "https://clerk.example.com",
    "jti": "0123456789abcdef0123",
    "nbf": 1_799_999_990,
    "sid": "sess_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq",
    "sts": "active",
    "sub": "user_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq",
    "v": 2,
}


async def measure(how: str, seconds: float) -> float:
    """Tokens a second."""
    key = jws.SigningKey.generate("kid_2uYQ2G2l2v9R2t9S5M1X0c7B3Pq")
    pool = ThreadPoolExecutor(max_workers=2)
    loop = asyncio.get_running_loop()
    count, until = 0, time.perf_counter() + seconds

    def sign() -> str:
        return jws.sign(_CLAIMS, key, category=jws.SESSION)

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < until:
            if how == "loop":
                sign()
                await asyncio.sleep(0)
            else:
                await loop.run_in_executor(pool, sign)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_IN_FLIGHT)))
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    print(uvloop.run(measure(sys.argv[1], float(sys.argv[2]))))
