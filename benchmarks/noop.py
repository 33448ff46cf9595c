"""The yardstick of every read: Starlette with one route, on the settings that `sojourn serve` gives
uvicorn."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def ok(request: Request) -> JSONResponse:
    """Nothing, as JSON."""
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/readyz", ok)])

if __name__ == "__main__":
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
