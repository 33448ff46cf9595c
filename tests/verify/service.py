"""A service for verifiers: its key set, refreshes and handshakes, as both sides of a comparison ask."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from sojourn.tokens.keys import PublicKey
from tests.verify.generated import REFRESHED


@contextmanager
def service(keys: list[PublicKey], pool: dict[str, str]) -> Generator[str]:
    """The URL of a running service that knows these keys and tokens."""
    handler = type("Answers", (_Answers,), {"keys": keys, "pool": pool})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keys: list[PublicKey]
    pool: dict[str, str]

    def do_GET(self) -> None:
        """The key set and handshake payloads."""
        parts = urlsplit(self.path)
        if parts.path == "/v1/jwks":
            return self._answer(200, {"keys": [key.jwk() for key in self.keys]})
        nonce = parse_qs(parts.query).get("nonce", [""])[0]
        held = {
            "nonce_good": [f"__session={self.pool['good']}; Path=/", "__client_uat=1; Path=/"],
            "nonce_out": ["__session=; Path=/", "__client_uat=0; Path=/"],
        }
        if nonce in held:
            return self._answer(200, {"nonce": nonce, "directives": held[nonce]})
        return self._refuse(404, "resource_not_found")

    def do_POST(self) -> None:
        """Refreshes."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token = body["refresh_token"]
        if token == "refresh_broken":
            return self._answer(500, {"oops": True})
        if token not in REFRESHED:
            return self._refuse(401, "refresh_token_unknown")
        name = REFRESHED[token]
        cookies = [f"__session={self.pool[name]}; Path=/"] if name else []
        return self._answer(200, {"object": "cookies", "cookies": cookies})

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, {"errors": [{"code": code, "message": code, "long_message": code}]})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base class names it
        """Nothing: the tests read the answers."""
