"""The pytest plugin: its documented examples run as an application's tests, and what they promise fails when
broken."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jwt
import pytest
from clerk_backend_api.security import authenticate_request
from clerk_backend_api.security.types import AuthenticateRequestOptions

from sojourn import NotFound
from sojourn.testing.stage import Stage
from tests.support import clean_environment

SKEW = 5
"""Seconds that the official SDKs grant: the first token after a change is dated up to a second ahead."""
PAGE = Path(__file__).parent.parent.parent / "docs/testing.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run_pytest(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file, as an application would, far from the settings of this suite."""
    (folder / "test_app.py").write_text(code)
    arguments = [
        "-p",
        "sojourn.testing.plugin",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::DeprecationWarning",
        "-q",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(folder)],
        cwd=folder,
        env=clean_environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_examples_run(tmp_path: Path) -> None:
    """Every example of the page passes; they are all there, each with its own imports."""
    assert len(BLOCKS) == 6
    assert sum(block.count("def test_") for block in BLOCKS) == 8
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"test_{number}.py").write_text(block)
    done = run_pytest(tmp_path, "")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_an_example_that_is_not_true_fails(tmp_path: Path) -> None:
    """The control: the same page with one word changed does not pass."""
    (block,) = (one for one in BLOCKS if "def test_a_week_later" in one)
    broken = block.replace('"expired"', '"active"').replace("anna.revoke()", "anna.session")
    done = run_pytest(tmp_path, broken)
    assert done.returncode == 1
    assert "2 failed, 1 passed" in done.stdout


def verdict(token: str, stage: Stage) -> str | None:
    """Why the official SDK refuses a token by the key alone; None when it takes it."""
    request = httpx.Request("GET", "http://app.test/", headers={"Authorization": f"Bearer {token}"})
    state = authenticate_request(request, AuthenticateRequestOptions(jwt_key=stage.pem))
    return None if state.reason is None else state.reason.value[0]


def test_real_verifiers_decide() -> None:
    """The official SDK takes what is minted, and refuses what is old, by its own clock."""
    with Stage.open() as stage:
        anna = stage.sign_in("anna", organization="acme", actor={"sub": "user_9", "note": 1})
        assert verdict(anna.token(), stage) is None
        assert verdict(anna.token(age_seconds=3600), stage) == "token-expired"
        claims = jwt.decode(anna.token(), stage.pem, algorithms=["RS256"], leeway=SKEW)
        assert (claims["act"], claims["o"]["slg"], claims["iss"]) == (
            {"sub": "user_9", "note": 1},
            "acme",
            stage.issuer,
        )
        assert abs(claims["iat"] - time.time()) < 60
    with Stage.open() as other:
        assert verdict(anna_token := other.sign_in("anna").token(), other) is None
        with Stage.open() as stranger:
            assert verdict(anna_token, stranger) == "token-invalid-signature"


def test_ends_and_the_clock() -> None:
    """Each end has its status, and time that passes ends what is left."""
    with Stage.open(policy={"inactivity_seconds": 600}) as stage:
        for status in ("ended", "removed", "revoked"):
            anna = stage.sign_in("anna")
            assert anna.end(status).status == status
            with pytest.raises(NotFound):
                anna.token()
        anna = stage.sign_in("anna")
        stage.clock.advance(seconds=599)
        assert anna.session.status == "active"
        stage.clock.advance(seconds=1)
        assert anna.session.status == "expired"


def test_the_service_is_the_same_instance() -> None:
    """What is done over HTTP is seen here and the reverse; a stage that is closed answers nobody."""
    with Stage.open() as stage:
        anna = stage.sign_in("anna")
        headers = {"Authorization": f"Bearer {stage.secret_key}"}
        url = f"{stage.url}/v1/sessions/{anna.session_id}"
        assert httpx.get(url, headers=headers).json()["status"] == "active"
        assert httpx.post(f"{url}/revoke", headers=headers).status_code == 200
        assert anna.session.status == "revoked"
        assert stage.environment["CLERK_API_URL"] == stage.url
        assert httpx.get(f"{stage.url}/v1/jwks", headers=headers).json() == stage.jwks
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, headers=headers)


def test_another_role_and_the_same_organization() -> None:
    """Signing in again with another role changes the membership, and the organization is found by its
    slug."""
    with Stage.open(roles={"org:editor": ("org:posts:write",)}) as stage:
        first = stage.sign_in("anna", organization="acme")
        second = stage.sign_in("anna", organization="acme", role="org:editor")
        assert first.organization_id == second.organization_id
        claims = jwt.decode(second.token(), stage.pem, algorithms=["RS256"], leeway=SKEW)
        assert claims["o"]["rol"] == "editor"


def test_a_token_by_a_template_has_its_own_age() -> None:
    """By the instance's key it may be old; by a key of its own it cannot be forged."""
    with Stage.open() as stage:
        anna = stage.sign_in("anna")
        templates = stage.sojourn.templates
        stage.run(templates.create(name="t", claims={"a": 1}))
        key = {"custom_signing_key": True, "signing_algorithm": "HS256", "signing_key": "s" * 32}
        stage.run(templates.create(name="own", claims={}, **key))
        old = jwt.decode(
            anna.token(template="t", age_seconds=3600),
            stage.pem,
            algorithms=["RS256"],
            options={"verify_exp": False},
        )
        assert old["exp"] < time.time() - 3000
        with pytest.raises(ValueError, match="key of its own"):
            anna.token(template="own", age_seconds=1)
