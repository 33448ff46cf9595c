"""The same requests through `sojourn.verify` and `@clerk/backend`: equal state, reason and whereabouts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sojourn.tokens.keys import SigningKey
from sojourn.verify import Handshake, Options, Outcome, Request, SignedIn, SignedOut, Verifier
from tests.conftest import require_tool
from tests.tokens.builders import ISSUER
from tests.verify.generated import DEVELOPMENT, PRODUCTION, SATELLITE, Case, cases, tokens
from tests.verify.service import service

NODE = Path(__file__).parent / "node"
DOCS = Path(__file__).parents[2] / "docs" / "verify.md"
COUNT = 20_000 if os.environ.get("SOJOURN_FAULTS") == "full" else 3_000
STATES = {SignedIn: "signed-in", SignedOut: "signed-out", Handshake: "handshake"}


class Answer(NamedTuple):
    """What one of the two says of a request."""

    state: str
    reason: str | None
    location: str | None = None
    cookies: tuple[str, ...] = ()
    auth: dict[str, Any] | None = None


EXPIRED = "session-token-expired-refresh-expired-session-token-"
Rule = Callable[[Case, Answer, Answer], bool]
ALLOWED: dict[str, Rule] = {
    "critical-extension": lambda case, _, ours: "crit" in case.traits and ours.reason == "token-invalid",
    "kid-missing": lambda case, _, ours: (
        "no-kid" in case.traits and not case.remote and ours.reason == "jwk-kid-mismatch"
    ),
    "not-an-object": lambda case, theirs, ours: (
        "array" in case.traits
        and (theirs.reason, ours.reason)
        in (
            ("jwk-kid-mismatch", "token-invalid"),
            ("token-invalid-algorithm", "token-invalid"),
            (f"{EXPIRED}missing-sid-claim", f"{EXPIRED}decode-failed"),
        )
    ),
    "handshake-refused": lambda case, theirs, ours: (
        case.development
        and "Handshake token verification failed" in str(theirs.reason)
        and (ours.state, ours.location) == ("signed-out", None)
    ),
    "redirect-url": lambda case, theirs, _: theirs.reason == "Invalid URL" and "nonsense" in case.url,
}
"""Every way in which the two may differ, by the name under which docs/verify.md explains it."""


@pytest.fixture(scope="module")
def compared() -> list[tuple[Case, Answer, Answer]]:
    """Every request with the reference's answer and ours."""
    require_tool("node", shutil.which("node"), "install Node 20 or newer")
    require_tool("@clerk/backend", (NODE / "node_modules/@clerk/backend").exists(), "run `make setup`")
    key, other = SigningKey.generate("ins_sojourn1"), SigningKey.generate("ins_sojourn2")
    pool = tokens(key, other)
    asked = cases(COUNT, seed=20261127, pool=pool)
    with service([key.public], pool) as url:
        theirs = reference(asked, url, key.public.pem())
        with ExitStack() as stack:
            ours = Ours(url, key.public.pem(), stack)
            return [(case, answer, ours.answer(case)) for case, answer in zip(asked, theirs, strict=True)]


def reference(asked: list[Case], url: str, pem: str) -> list[Answer]:
    """What `@clerk/backend` says, in a process of its own."""
    lines = []
    for case in asked:
        client = {
            "secretKey": "sk_test_1" if case.development else "sk_live_1",
            "publishableKey": DEVELOPMENT if case.development else PRODUCTION,
            "apiUrl": url,
            **({} if case.remote else {"jwtKey": pem}),
        }
        options = {**case.options, "issuer": ISSUER, **(SATELLITE if case.satellite else {})}
        lines.append({"client": client, "options": options, "now": case.now})
        lines[-1].update(method=case.method, url=case.url, headers=case.headers)
    done = subprocess.run(
        ["node", "authenticate.mjs"],
        cwd=NODE,
        input="\n".join(json.dumps(line) for line in lines),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        Answer(
            one["state"],
            one["reason"],
            one.get("location"),
            tuple(one.get("cookies") or ()),
            one.get("auth"),
        )
        for one in answers
    ]


class Ours:
    """What `sojourn.verify` says, with one verifier for each set of settings, as an application has one."""

    def __init__(self, url: str, pem: str, stack: ExitStack) -> None:
        self._url, self._pem, self._stack = url, pem, stack
        self._now = 0
        self._verifiers: dict[str, Verifier] = {}

    def answer(self, case: Case) -> Answer:
        """The answer to one request."""
        self._now = case.now
        settings = json.dumps([case.options, case.development, case.satellite, case.remote])
        verifier = self._verifiers.get(settings)
        if verifier is None:
            verifier = self._verifiers[settings] = self._stack.enter_context(self._made(case))
        request = Request(method=case.method, url=case.url, headers=case.headers)
        return shown(verifier.authenticate(request))

    def _made(self, case: Case) -> Verifier:
        given, audience = case.options, case.options.get("audience")
        sync = given.get("organizationSyncOptions", {})
        options = Options(
            publishable_key=DEVELOPMENT if case.development else PRODUCTION,
            issuer=ISSUER,
            authorized_parties=given.get("authorizedParties") or None,
            audience=[audience] if isinstance(audience, str) else audience,
            clock_skew_ms=given.get("clockSkewInMs", 5000),
            accept_pending=True,
            accept_uncategorised=True,
            trust_forwarded=True,
            satellite=case.satellite,
            domain=str(SATELLITE["domain"]) if case.satellite else None,
            sign_in_url=str(SATELLITE["signInUrl"]) if case.satellite else None,
            satellite_auto_sync=given.get("satelliteAutoSync", False),
            organization_patterns=sync.get("organizationPatterns", ()),
            personal_patterns=sync.get("personalAccountPatterns", ()),
        )
        pem = None if case.remote else self._pem
        return Verifier(options, pem=pem, api_url=self._url, key="sk_1", clock=lambda: self._now)


def shown(outcome: Outcome) -> Answer:
    """One of our outcomes in the words of the reference."""
    if not isinstance(outcome, SignedIn):
        return Answer(STATES[type(outcome)], outcome.code, outcome.location, outcome.cookies)
    active, ages = outcome.organization, outcome.claims.get("fva")
    auth = {
        "session": outcome.session_id,
        "user": outcome.user_id,
        "actor": outcome.actor,
        "organization": active.id if active else None,
        "slug": active.slug if active else None,
        "role": active.role if active else None,
        "permissions": sorted(active.permissions) if active else [],
        "ages": ages,
    }
    return Answer("signed-in", None, outcome.location, outcome.cookies, auth)


def test_equal_state_and_reason(compared: list[tuple[Case, Answer, Answer]]) -> None:
    """Every request gets the same state and the same reason from both, but for the differences that the
    documents explain, and each of those comes up."""
    met: Counter[str] = Counter()
    for case, theirs, ours in compared:
        if theirs[:2] == ours[:2]:
            continue
        names = [name for name, rule in ALLOWED.items() if rule(case, theirs, ours)]
        assert len(names) == 1, (names, theirs[:2], ours[:2], sorted(case.traits), case)
        met[names[0]] += 1
    assert set(met) == set(ALLOWED)
    assert sum(met.values()) < len(compared) * 0.05


def test_equal_whereabouts_and_identity(compared: list[tuple[Case, Answer, Answer]]) -> None:
    """Where both say the same, they send the browser to the same place with the same cookies, and read the
    same session, user, actor, organization, role, permissions and factor ages out of the token."""
    for case, theirs, ours in compared:
        if theirs[:2] == ours[:2]:
            assert ours[2:] == theirs[2:], case


def test_the_requests_are_of_every_kind(compared: list[tuple[Case, Answer, Answer]]) -> None:
    """The comparison reaches all three states and every reason of the reference that a request can cause."""
    states = Counter(theirs.state for _, theirs, _ in compared)
    assert min(states[state] for state in STATES.values()) > COUNT // 20
    reasons = {theirs.reason for _, theirs, _ in compared if theirs.state != "thrown"}
    assert {
        "session-token-and-uat-missing", "session-token-missing", "token-type-mismatch", "token-invalid",
        "token-invalid-signature", "token-invalid-algorithm", "token-invalid-authorized-parties",
        "token-invalid-issuer", "token-verification-failed", "jwk-kid-mismatch",
        "session-token-but-no-client-uat", "client-uat-but-no-session-token",
        "session-token-iat-before-client-uat", "session-token-nbf", "session-token-iat-in-the-future",
        "dev-browser-missing", "dev-browser-sync", "satellite-needs-syncing", "primary-responds-to-syncing",
        "primary-domain-cross-origin-sync", "active-organization-mismatch",
    } <= reasons  # fmt: skip
    endings = {reason.partition("-refresh-")[2] for reason in reasons if reason and "-refresh-" in reason}
    assert {
        "non-eligible-no-refresh-cookie", "non-eligible-non-get", "expired-session-token-missing-sid-claim",
        "invalid-session-token", "unexpected-bapi-error", "unexpected-sdk-error", "refresh_token_unknown",
    } <= endings  # fmt: skip


def test_the_differences_are_explained() -> None:
    """docs/verify.md explains each difference under its name, and no other."""
    section = DOCS.read_text().partition("## Where it differs from `@clerk/backend`")[2]
    table = section.partition("\nThese are not compared")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(ALLOWED)
