"""Requests of every kind that a browser, a script or an attacker sends, the same ones for every seed."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from typing import Any

from sojourn.tokens import jws
from sojourn.tokens.keys import SigningKey
from sojourn.verify.options import cookie_suffix
from sojourn.verify.peek import IGNORE
from tests.tokens.builders import NOW, NOW_MS, PARTY, b64, forge, good_claims, good_header, rs256

HOST = "clerk.example.com"
PRODUCTION, DEVELOPMENT = (
    f"pk_{kind}_{base64.b64encode(f'{HOST}$'.encode()).decode().rstrip('=')}" for kind in ("live", "test")
)
SATELLITE = {"isSatellite": True, "domain": "sat.example.net", "signInUrl": "https://primary.example.com/in"}
REFRESHED = {"refresh_good": "good", "refresh_foreign": "foreign", "refresh_none": ""}
"""What the service answers to a refresh token: which token its cookies hold."""


@dataclass
class Case:
    """One request with the settings that it meets."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    now: int
    development: bool
    satellite: bool
    remote: bool
    """Whether keys come from the service's set, and not from a PEM."""
    options: dict[str, Any] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)
    """What is special about it: names of tokens and of other choices."""


def tokens(key: SigningKey, other: SigningKey) -> dict[str, str]:
    """Tokens by what is wrong, or special, about them."""
    head, claims = good_header(key), good_claims()

    def made(header: dict[str, object] | None = None, signer: SigningKey = key, **more: object) -> str:
        given = {name: value for name, value in {**claims, **more}.items() if value is not ...}
        head_given = {name: value for name, value in {**head, **(header or {})}.items() if value is not ...}
        return forge(head_given, given, rs256(signer))

    old: dict[str, Any] = {"iat": NOW - 100, "nbf": NOW - 110, "exp": NOW - 40}
    pool = {
        "good": made(),
        "good-b": made(sid="sess_2", sub="user_2"),
        "newer": made(iat=NOW + 1, jti="b"),
        "older": made(iat=NOW - 30, jti="c"),
        "v1": made(
            v=..., o=..., org_id="org_9", org_role="org:member", org_slug="nine", org_permissions=["org:a:b"]
        ),
        "v2-permissions": made(
            fea="o:docs,u:own,o:mail", o={"id": "org_1", "rol": "admin", "per": "read,write", "fpm": "3,2"}
        ),
        "no-organization": made(o=..., act={"sub": "user_9", "iss": "x"}),
        "pending": made(sts="pending"),
        "no-azp": made(azp=...),
        "other-azp": made(azp=f"{PARTY}.evil"),
        "aud": made(aud="api"),
        "aud-list": made(aud=["x", "api"]),
        "aud-other": made(aud="web"),
        "expired": made(**old),
        "expired-no-sid": made(**old, sid=...),
        "edge": made(exp=NOW - 5),
        "not-yet": made(nbf=NOW + 100),
        "future": made(iat=NOW + 100, nbf=NOW - 10),
        "no-exp": made(exp=...),
        "exp-text": made(exp=str(NOW + 60)),
        "no-sub": made(sub=...),
        "sub-number": made(sub=7),
        "foreign": made(signer=other),
        "other-kid": made({"kid": other.kid}, other),
        "other-issuer": made(iss="https://clerk.other.example"),
        "no-issuer": made(iss=...),
        "issuer-number": made(iss=5),
        "uncategorised": made({"cat": ...}),
        "ignore": made({"cat": IGNORE}),
        "template": made({"cat": jws.TEMPLATE}),
        "machine": made({"cat": jws.M2M}),
        "machine-subject": made(sub="mch_1"),
        "access-token": made({"typ": "at+jwt"}),
        "typ": made({"typ": "JWS"}),
        "no-typ": made({"typ": ...}),
        "alg-none": made({"alg": "none"}),
        "alg-hs256": made({"alg": "HS256"}),
        "crit": made({"crit": ["exp"]}),
        "no-kid": made({"kid": ...}),
        "garbage": "garbage",
        "three": "a.b.c",
        "two-dots": "..",
        "array": f"{b64(b'[]')}.{b64(b'[]')}.{b64(b'x')}",
        "cut": made()[:-3],
        "long-signature": made() + "AA",
    }
    directives = [f"__session={pool['good']}; Path=/", "__client_uat=1; Path=/; Secure"]
    return {
        **pool,
        "hs-good": made(handshake=directives),
        "hs-template": made({"cat": jws.TEMPLATE}, handshake=directives),
        "hs-foreign": made(signer=other, handshake=directives),
        "hs-out": made(handshake=["__session=; Path=/; Max-Age=0", "__client_uat=0; Path=/"]),
        "hs-expired": made(handshake=[f"__session={pool['expired']}; Path=/"]),
        "hs-planted": made(handshake=[f"__session={pool['foreign']}; Path=/"]),
        "hs-none": made(),
    }


SESSIONS = ["good"] * 8 + ["expired"] * 8 + ["newer", "older", "expired-no-sid", "v1", "v2-permissions"]
SESSIONS += ["no-organization", "pending", "no-azp", "other-azp", "aud", "aud-list", "aud-other", "edge"]
SESSIONS += ["not-yet", "future", "no-exp", "exp-text", "no-sub", "sub-number", "foreign", "other-kid"]
SESSIONS += ["other-issuer", "no-issuer", "issuer-number", "uncategorised", "ignore", "template", "machine"]
SESSIONS += ["machine-subject", "access-token", "typ", "no-typ", "alg-none", "alg-hs256", "crit", "no-kid"]
SESSIONS += ["garbage", "three", "two-dots", "array", "cut", "long-signature", "good-b"]
HANDSHAKES = [
    "hs-good",
    "hs-template",
    "hs-foreign",
    "hs-out",
    "hs-expired",
    "hs-planted",
    "hs-none",
    "garbage",
]
UATS = [str(NOW - 60)] * 5 + ["0", "1", str(NOW + 1000), "", "x", f"{NOW - 60}x", "-5"]
REFERRERS = ["https://app.example.com/before", "https://elsewhere.example/", f"https://{HOST}/v1/x"]
REFERRERS += ["https://accounts.example.com/sign-in", "not a url", "https://accounts.elsewhere.example/"]
PATHS = ["/", "/orgs/acme/settings", "/orgs/other", "/me", "/a b/~x*", "/%7Eü"]
QUERIES = ["", "", "", "a=1&b=%20x", "q=a+b~*%2F&e=", "a"]


def cases(count: int, *, seed: int, pool: dict[str, str]) -> list[Case]:
    """So many requests."""
    chance = random.Random(seed)
    return [_case(chance, pool) for _ in range(count)]


def _case(chance: random.Random, pool: dict[str, str]) -> Case:
    development, satellite = chance.random() < 0.35, chance.random() < 0.12
    case = Case("GET", "", [], NOW_MS, development, satellite, chance.random() < 0.5)
    if chance.random() < 0.15:
        case.method = chance.choice(["POST", "HEAD", "PUT"])
    if chance.random() < 0.1:
        case.now += chance.choice([-1, 1, 999, 4_999, 5_000, 5_001, 60_000, -60_000])
    host = "sat.example.net" if satellite else "app.example.com"
    case.url = f"https://{host}{chance.choice(PATHS)}" + _query(chance, case, pool)
    if chance.random() < 0.3:
        case.headers.append(("authorization", _authorization(chance, case, pool)))
    _cookies(chance, case, pool)
    _browser(chance, case, host)
    if chance.random() < 0.3:
        case.options["authorizedParties"] = chance.choice([[PARTY], ["https://b.example", PARTY], []])
    if chance.random() < 0.2:
        case.options["audience"] = chance.choice(["api", ["api", "x"]])
    if chance.random() < 0.15:
        case.options["clockSkewInMs"] = chance.choice([0, 1, 60_000])
    if chance.random() < 0.2:
        case.options["organizationSyncOptions"] = {
            "organizationPatterns": ["/orgs/:slug", "/orgs/:slug/(.*)"],
            "personalAccountPatterns": ["/me", "/me/(.*)"],
        }
    if satellite:
        case.options["satelliteAutoSync"] = chance.random() < 0.5
    return case


def _query(chance: random.Random, case: Case, pool: dict[str, str]) -> str:
    parts = [chance.choice(QUERIES)]
    if chance.random() < 0.08:
        parts.append(f"__clerk_db_jwt={chance.choice(['dvb_1', ''])}")
    if chance.random() < 0.1:
        parts.append(f"__clerk_synced={chance.choice(['true', 'false', 'x'])}")
    if chance.random() < 0.05:
        where = [
            "https%3A%2F%2Fsat.example.net%2Fx%3Fa%3D1",
            "https%3A%2F%2Fsat.example.net%2F%3F__clerk_synced%3Dfalse",
        ]
        where.append("nonsense")
        parts.append(f"__clerk_redirect_url={chance.choice(where)}")
    if chance.random() < 0.05:
        name = chance.choice(HANDSHAKES)
        case.traits.add(name)
        parts.append(f"__clerk_handshake={pool[name]}")
    if chance.random() < 0.04:
        parts.append(f"__clerk_handshake_nonce={chance.choice(['nonce_good', 'nonce_out', 'nonce_unknown'])}")
    text = "&".join(part for part in parts if part)
    return f"?{text}" if text else ""


def _authorization(chance: random.Random, case: Case, pool: dict[str, str]) -> str:
    name = chance.choice(SESSIONS)
    case.traits |= {name, "header"}
    forms = ["Bearer {}"] * 8 + ["{}", "Basic {}", "bearer {}", "Bearer  {}", "Bearer {} x", "Bearer"]
    return chance.choice(forms).format(pool[name])


def _cookies(chance: random.Random, case: Case, pool: dict[str, str]) -> None:
    suffix = cookie_suffix(DEVELOPMENT if case.development else PRODUCTION)
    pairs: list[str] = []

    def maybe(odds: float, name: str, values: list[str]) -> None:
        if chance.random() < odds:
            pairs.append(f"{name}={chance.choice(values)}")

    for end, odds in (("", 0.75), (f"_{suffix}", 0.4)):
        if chance.random() < odds:
            name = chance.choice(SESSIONS)
            case.traits.add(name)
            pairs.append(f"__session{end}={pool[name]}")
        maybe(odds, f"__client_uat{end}", UATS)
        maybe(0.85 if case.development else 0.05, f"__clerk_db_jwt{end}", ["dvb_2", "dvb%202"])
    maybe(0.5, f"__refresh_{suffix}", [*REFRESHED, "refresh_unknown", "refresh_broken"])
    maybe(0.1, "__clerk_redirect_count", ["0", "1", "2", "3", "x"])
    maybe(0.02, "__clerk_handshake_nonce", ["nonce_good", "nonce_out", "nonce_unknown"])
    if chance.random() < 0.05:
        name = chance.choice(HANDSHAKES)
        case.traits.add(name)
        pairs.append(f"__clerk_handshake={pool[name]}")
    maybe(0.2, "other", ["1", "%zz", "a=b", ""])
    chance.shuffle(pairs)
    if pairs:
        case.headers.append(("cookie", chance.choice(["; ", ";", " ;\t"]).join(pairs)))


def _browser(chance: random.Random, case: Case, host: str) -> None:
    if chance.random() < 0.7:
        case.headers.append(
            ("sec-fetch-dest", chance.choice(["document"] * 4 + ["iframe", "empty", "image"]))
        )
    if chance.random() < 0.6:
        case.headers.append(("accept", chance.choice(["text/html,*/*", "*/*", "application/json"])))
    if chance.random() < 0.3:
        case.headers.append(("referer", chance.choice(REFERRERS)))
    if chance.random() < 0.15:
        case.headers.append(
            ("x-forwarded-host", chance.choice([host, "public.example.com", "public.example.com, x"]))
        )
        if chance.random() < 0.5:
            case.headers.append(("x-forwarded-proto", chance.choice(["https", "http", "https,http"])))
