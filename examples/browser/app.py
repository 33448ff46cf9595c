"""An application with its own sign-in, and sojourn for everything after it.

    make example      # then open http://localhost:3000 and sign in as ada@example.com, "correct horse"

The application checks a password itself. Then it asks sojourn for a ticket, which the page redeems with the
unmodified @clerk/clerk-js. `GET /api/hello` is for who is signed in: that is decided here, offline, by
`sojourn.verify`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Annotated

import httpx
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from sojourn.integrations.fastapi import AuthMiddleware, auth_required
from sojourn.verify import Options, SignedIn, Verifier

HERE = Path(__file__).parent
CLERK_JS = HERE.parent.parent / "tests/acceptance/browser/node_modules/@clerk/clerk-js/dist"
PORT, SERVICE_PORT = int(os.environ.get("PORT", "3000")), int(os.environ.get("SERVICE_PORT", "8787"))
SERVICE = f"http://localhost:{SERVICE_PORT}"
SECRET_KEY = "sk_live_" + secrets.token_hex(24)
PUBLISHABLE_KEY = "pk_live_Y2xlcmsuZXhhbXBsZS50ZXN0JA=="  # clerk.example.test


def scrypt(password: str, salt: bytes) -> bytes:
    """The application's own way to keep passwords."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


SALT = secrets.token_bytes(16)
PASSWORDS = {
    "ada@example.com": scrypt("correct horse", SALT),
    "bob@example.com": scrypt("battery staple", SALT),
}
NOBODY = secrets.token_bytes(64)


class Login(BaseModel):
    """What the form of the page sends."""

    email: str
    password: str


app = FastAPI()
app.add_middleware(
    AuthMiddleware,
    authenticator=Verifier(
        Options(
            issuer="https://clerk.example.test", authorized_parties=frozenset({f"http://localhost:{PORT}"})
        ),
        api_url=SERVICE,
        key=SECRET_KEY,
    ),
)
app.mount("/clerk", StaticFiles(directory=CLERK_JS, check_dir=False))
sojourn = httpx.AsyncClient(base_url=f"{SERVICE}/v1", headers={"Authorization": f"Bearer {SECRET_KEY}"})


@app.get("/")
async def page() -> HTMLResponse:
    """The page; the browser SDK reaches the service by proxyUrl, so that http and localhost will do."""
    text = (HERE / "page.html").read_text()
    return HTMLResponse(text.replace("{key}", PUBLISHABLE_KEY).replace("{service}", SERVICE))


@app.post("/login")
async def login(given: Login) -> dict[str, str]:
    """Check the password, and hand out a ticket that signs its user in once, within a minute."""
    known = PASSWORDS.get(given.email, NOBODY)
    if not hmac.compare_digest(scrypt(given.password, SALT), known):
        raise HTTPException(401, "E-mail address or password is wrong.")
    found = (await sojourn.get("/users", params={"external_id": given.email})).json()
    user = (
        found[0]
        if found
        else (
            await sojourn.post(
                "/users",
                json={"external_id": given.email, "first_name": given.email.partition("@")[0].title()},
            )
        ).json()
    )
    ticket = await sojourn.post("/sign_in_tokens", json={"user_id": user["id"], "expires_in_seconds": 60})
    return {"ticket": ticket.raise_for_status().json()["token"]}


@app.get("/api/hello")
async def hello(auth: Annotated[SignedIn, Depends(auth_required())]) -> dict[str, str]:
    """For who is signed in alone."""
    return {"hello": auth.user_id, "session": auth.session_id}


def main() -> None:
    """Run service and application until Ctrl-C."""
    if not CLERK_JS.is_dir():
        sys.exit("The browser SDK is not installed: run `make setup` first.")
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "SOJOURN_DATABASE_URL": f"sqlite:///{folder}/sojourn.db",
            "SOJOURN_SECRET_KEY": SECRET_KEY,
            "SOJOURN_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "SOJOURN_ALLOWED_ORIGINS": f"http://localhost:{PORT}",
            "SOJOURN_PORT": str(SERVICE_PORT),
        }
        service = subprocess.Popen([sys.executable, "-m", "sojourn", "serve"], env={**os.environ, **settings})
        try:
            wait_for(f"{SERVICE}/readyz", service)
            print(f"\n  http://localhost:{PORT}   ada@example.com / correct horse\n", flush=True)
            uvicorn.run(app, port=PORT, log_level="warning")
        finally:
            service.terminate()
            service.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when the service answers; give up when it has ended."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("The service did not start.")


if __name__ == "__main__":
    main()
