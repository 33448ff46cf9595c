"""A page with the unmodified browser SDK, served on the loopback interface; below a path of its own it can be
the reverse proxy of the service as well."""

from __future__ import annotations

import http.client
import mimetypes
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

DIST = Path(__file__).parent / "node_modules/@clerk/clerk-js/dist"
PROXY_PATH = "/__clerk"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}

_PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script src="/clerk/clerk.browser.js" {attributes}></script></head><body><p id="state">loading</p><script>
window.loaded = (async () => {{
  await window.Clerk.load({{ telemetry: false, routerPush: (to) => {{ window.wentTo = to }},
    routerReplace: (to) => {{ window.wentTo = to }} }})
  document.getElementById('state').textContent = window.Clerk.status
}})()
</script></body></html>"""


@dataclass(frozen=True)
class Site:
    """Where the page is, and what it is told."""

    url: str
    proxy_url: str


@contextmanager
def page_site(
    service_url: str,
    publishable_key: str,
    *,
    proxy_url: str | None = None,
    host: str = "localhost",
    port: int = 0,
) -> Generator[Site]:
    """Serve the page until the block ends. `proxy_url` None: the page's own origin and PROXY_PATH."""
    chosen: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path.startswith(PROXY_PATH + "/"):
                return self._forward()
            if path.startswith("/clerk/"):
                file = DIST / Path(path).name
                kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
                return self._send(200, kind, file.read_bytes()) if file.is_file() else self._send(404)
            attributes = f'data-clerk-publishable-key="{publishable_key}"'
            attributes += f' data-clerk-proxy-url="{chosen["proxy_url"]}"'
            self._send(200, "text/html", _PAGE.format(attributes=attributes).encode())

        def do_POST(self) -> None:
            self._forward()

        do_OPTIONS = do_PATCH = do_PUT = do_DELETE = do_POST  # noqa: N815  # the base class has it so

        def _forward(self) -> None:
            """As a reverse proxy in front of application and service does."""
            length = int(self.headers.get("content-length") or 0)
            service = http.client.HTTPConnection(urlsplit(service_url).netloc, timeout=20)
            headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP}
            headers |= {"X-Forwarded-For": self.client_address[0], "X-Forwarded-Proto": "http"}
            service.request(self.command, self.path, self.rfile.read(length), headers)
            answer = service.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            service.close()

        def _send(self, status: int, kind: str = "text/plain", body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://{host}:{server.server_port}"
    chosen["proxy_url"] = proxy_url or url + PROXY_PATH
    try:
        yield Site(url, chosen["proxy_url"])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
