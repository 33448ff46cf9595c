"""The yardstick of every read: Starlette with one route, on the settings that `sojourn serve` gives
uvicorn. Arguments: PORT [PEM]; with the PEM of a public key, behind the middleware of `sojourn.verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sojourn.cli.bench_verify import PARTY, PUBLISHABLE_KEY
from sojourn.integrations.asgi import AuthMiddleware
from sojourn.verify import Options, Verifier


async def ok(request: Request) -> JSONResponse:
    """Nothing, as JSON."""
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/readyz", ok)])

if __name__ == "__main__":
    if len(sys.argv) > 2:
        options = Options(publishable_key=PUBLISHABLE_KEY, authorized_parties=(PARTY,))
        pem = Path(sys.argv[2]).read_text()
        app.add_middleware(AuthMiddleware, authenticator=Verifier(options, pem=pem))
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
