"""From a request to an outcome: which token counts, and what becomes of the request with it.

A decision, nothing else: no clock, no network. What it lacks it returns as a need; whoever calls gets that,
puts it into `Supplied` and asks again. The order of the questions is that of `@clerk/backend`
(wire/server-sdks.md, section 6.1), so that a request wrong in two ways gets the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from sojourn.verify import handshake
from sojourn.verify.context import Context, Site, header_token, read
from sojourn.verify.options import Options
from sojourn.verify.outcomes import (
    Handshake,
    Need,
    NeedDirectives,
    NeedKey,
    NeedRefresh,
    NeedStatus,
    Outcome,
    SignedIn,
    SignedOut,
)
from sojourn.verify.paths import matches, target_of
from sojourn.verify.peek import peek
from sojourn.verify.reasons import Reason

DAY_MS: Final = 86_400_000
"""How far clocks may differ right after a handshake in development, where they often do."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier needs of an HTTP request."""

    method: str
    url: str
    """Absolute, as the browser knows it."""
    headers: Sequence[tuple[str, str]]
    """In the order of the wire; names in any case."""

    def __repr__(self) -> str:
        return f"Request(method={self.method!r})"


class Supplied(msgspec.Struct, frozen=True, kw_only=True):
    """What was got for the needs of a decision so far; None: not asked for yet."""

    directives: tuple[str, ...] | None = None
    """The cookies behind a handshake's nonce, none where it is not known."""
    refreshed: tuple[str, ...] | str | None = None
    """The cookies of a refresh, or the code of its failure."""


Check: TypeAlias = Callable[[str, int], SignedIn | SignedOut | NeedKey | NeedStatus]
"""Looks at a session token with a skew in ms."""
OpenHandshake: TypeAlias = Callable[[str], tuple[str, ...] | Reason | NeedKey]
"""Opens a handshake token."""

_TIME_REASONS: Final = {
    Reason.TOKEN_EXPIRED: Reason.SESSION_TOKEN_EXPIRED,
    Reason.TOKEN_NOT_ACTIVE_YET: Reason.SESSION_TOKEN_NBF,
    Reason.TOKEN_IAT_IN_THE_FUTURE: Reason.SESSION_TOKEN_IAT_IN_THE_FUTURE,
}
"""A token refused for its time may be replaced by a better one: what the service is told."""


def decide(
    request: Request,
    *,
    options: Options,
    site: Site | None,
    check: Check,
    open_handshake: OpenHandshake,
    now_ms: int,
    supplied: Supplied,
) -> Outcome | Need:
    """The outcome of a request at `now_ms` (Unix ms), or what is needed to tell it."""
    headers = _joined(request.headers)
    if site is None:
        token = header_token(headers.get("authorization"))
        if token is None:
            return SignedOut(reason=Reason.SESSION_TOKEN_MISSING)
        return check(token, options.clock_skew_ms)
    context = read(request.method, request.url, headers, options=options, site=site, now_ms=now_ms)
    case = _Case(context, options, site, check, open_handshake, supplied, request.headers)
    return case.with_header(context.header_token) if context.header_token else case.with_cookies()


@dataclass(frozen=True, slots=True)
class _Case:
    """One request with all that decides about it."""

    context: Context
    options: Options
    site: Site
    check: Check
    open_handshake: OpenHandshake
    supplied: Supplied
    headers: Sequence[tuple[str, str]]

    def with_header(self, token: str) -> Outcome | Need:
        """A token in the Authorization header wins over every cookie."""
        found = self.check(token, self.options.clock_skew_ms)
        return self._refused(found.reason) if isinstance(found, SignedOut) else found

    def with_cookies(self) -> Outcome | Need:
        """The questions, in their order, to a request without such a header."""
        if self.context.handshake_nonce or self.context.handshake_token:
            resolved = self._back_from_handshake()
            if resolved is not None:
                return resolved
        return self._multi_domain() or self._development() or self._presence() or self._session_cookie()

    def _back_from_handshake(self) -> Outcome | Need | None:
        """What the browser brought back; None to go on as if it had brought nothing."""
        directives = self._directives()
        if isinstance(directives, Reason):
            # The cookie may be another application's, below the same domain; the parameter cannot be.
            return SignedOut(reason=directives) if self.site.development else None
        if not isinstance(directives, tuple):
            return directives
        location = handshake.cleaned(self.context) if self.site.development else None
        token = handshake.session_token_of(directives)
        if token is None:
            return SignedOut(reason=Reason.SESSION_TOKEN_MISSING, cookies=directives, location=location)
        found = self.check(token, self.options.clock_skew_ms)
        if isinstance(found, SignedOut) and found.reason in _TIME_REASONS and self.site.development:
            found = self.check(token, DAY_MS)
        if isinstance(found, SignedIn):
            return msgspec.structs.replace(found, cookies=directives, location=location)
        return None if isinstance(found, SignedOut) else found

    def _directives(self) -> tuple[str, ...] | Reason | Need:
        if self.context.handshake_nonce:
            if self.supplied.directives is None:
                return NeedDirectives(nonce=self.context.handshake_nonce)
            return self.supplied.directives
        return self.open_handshake(self.context.handshake_token or "")

    def _multi_domain(self) -> Handshake | SignedOut | None:
        """A satellite has no cookies of its own until the primary domain gave it some."""
        context, options = self.context, self.options
        synced = context.address.parameter(handshake.SYNCED)
        known = bool(context.chosen.sessions) or context.chosen.client_uat != 0
        document = context.method == "GET" and context.fetch_destination == "document"
        if options.satellite and document and synced != "true":
            if not options.satellite_auto_sync and not known and synced != "false":
                return SignedOut(reason=Reason.SESSION_TOKEN_AND_UAT_MISSING)
            if not known or synced == "false":
                primary = handshake.to_primary(context, options) if self.site.development else None
                return self._send(Reason.SATELLITE_NEEDS_SYNCING, location=primary)
        redirect_url = context.address.parameter(handshake.REDIRECT_URL)
        if self.site.development and not options.satellite and redirect_url:
            back = handshake.back_to_satellite(context, redirect_url)
            if back is not None:
                return self._send(Reason.PRIMARY_RESPONDS_TO_SYNCING, location=back)
        return None

    def _development(self) -> Handshake | SignedOut | None:
        """In development the service knows a browser by a token, since its cookies are another site's."""
        if not self.site.development:
            return None
        if self.context.address.parameter("__clerk_db_jwt") is not None:
            return self._send(Reason.DEV_BROWSER_SYNC)
        if not self.context.dev_browser:
            return self._send(Reason.DEV_BROWSER_MISSING)
        return None

    def _presence(self) -> Handshake | SignedOut | None:
        """Session token and the instant of the client's last change have to come together."""
        session, client = bool(self.context.chosen.sessions), self.context.chosen.client_uat != 0
        if session and client:
            return None
        if session:
            return self._send(Reason.SESSION_TOKEN_WITHOUT_CLIENT_UAT)
        if client:
            return self._send(Reason.CLIENT_UAT_WITHOUT_SESSION_TOKEN)
        return SignedOut(reason=Reason.SESSION_TOKEN_AND_UAT_MISSING)

    def _session_cookie(self) -> Outcome | Need:
        chosen = self.context.chosen
        token = chosen.sessions[0]
        if len(chosen.sessions) > 1:
            several = self._one_of(chosen.sessions)
            if not isinstance(several, str):
                return several
            token = several
        shown = peek(token)
        if shown is None:
            return self._refused(Reason.TOKEN_INVALID)
        if shown.of_another_class:
            return SignedOut(reason=Reason.TOKEN_TYPE_MISMATCH)
        if shown.issued_at < chosen.client_uat:
            return self._send(Reason.SESSION_TOKEN_IAT_BEFORE_CLIENT_UAT)
        found = self.check(token, self.options.clock_skew_ms)
        if isinstance(found, SignedOut):
            return self._refused(found.reason)
        return self._placed(found) if isinstance(found, SignedIn) else found

    def _one_of(self, tokens: Sequence[str]) -> str | SignedOut | NeedKey | NeedStatus:
        """The first good token among cookies of one name, unless two good ones are of different sessions:
        one of them was planted from a neighbouring domain, and nobody can tell which (T-29)."""
        good: list[SignedIn] = []
        for token in tokens:
            found = self.check(token, self.options.clock_skew_ms)
            if isinstance(found, NeedKey | NeedStatus):
                return found
            if isinstance(found, SignedIn):
                good.append(found)
        if len({(one.session_id, one.user_id) for one in good}) > 1:
            return SignedOut(reason=Reason.SESSION_COOKIES_DISAGREE)
        return good[0].token if good else tokens[0]

    def _placed(self, found: SignedIn) -> Outcome:
        """Whether a good token is also the one that belongs to this page."""
        context = self.context
        document = context.method == "GET" and context.fetch_destination == "document"
        if document and not self.options.satellite and context.redirects == 0 and self._from_elsewhere():
            return self._send(Reason.PRIMARY_DOMAIN_CROSS_ORIGIN_SYNC)
        if not self.options.organization_patterns and not self.options.personal_patterns:
            return found
        target = target_of(context.address.parts.path, self.options)
        if target is None or found.pending or matches(target, found.organization):
            return found
        sent = self._send(Reason.ACTIVE_ORGANIZATION_MISMATCH)
        # What cannot be sent round has to live with the organization that it has.
        return sent if isinstance(sent, Handshake) else found

    def _from_elsewhere(self) -> bool:
        """Whether the page was reached from another site that is none of the service's own."""
        referrer = self.context.referrer
        if not referrer:
            return False
        try:
            parts = urlsplit(referrer)
            host, origin = parts.hostname, f"{parts.scheme}://{parts.netloc}".lower()
        except ValueError:
            return False
        if not host or not parts.scheme or origin == self.context.address.origin:
            return False
        frontend = self.site.frontend
        own = urlsplit(frontend if frontend.startswith("http") else f"https://{frontend}")
        accounts = frontend.replace("clerk.", "accounts.", 1)
        return host != own.hostname and origin != f"https://{accounts}".lower()

    def _refused(self, reason: Reason) -> Outcome | Need:
        """A token refused for its time is refreshed, or the browser is sent for a new one; any other refusal
        is final."""
        if reason not in _TIME_REASONS:
            return SignedOut(reason=reason)
        if reason is not Reason.TOKEN_EXPIRED:
            return self._send(_TIME_REASONS[reason])
        refreshed = self._refreshed()
        if not isinstance(refreshed, str):
            return refreshed
        return self._send(Reason.SESSION_TOKEN_EXPIRED, refresh=refreshed)

    def _refreshed(self) -> SignedIn | Need | str:
        """A new token for an expired one, or why there is none, in Clerk's words."""
        context, supplied = self.context, self.supplied.refreshed
        if context.method != "GET":
            return "non-eligible-non-get"
        if context.chosen.refresh is None:
            return "non-eligible-no-refresh-cookie"
        if supplied is None:
            return self._need_refresh(context.chosen.refresh)
        if isinstance(supplied, str):
            return supplied
        token = handshake.session_token_of(supplied)
        if not supplied:
            return "unexpected-sdk-error"
        found = self.check(token or "", self.options.clock_skew_ms)
        if isinstance(found, SignedIn):
            return msgspec.structs.replace(found, cookies=supplied)
        return "invalid-session-token" if isinstance(found, SignedOut) else found

    def _need_refresh(self, refresh_token: str) -> Need | str:
        context = self.context
        expired = context.chosen.sessions[0] if context.chosen.sessions else context.header_token or ""
        shown = peek(expired)
        if shown is None:
            return "expired-session-token-decode-failed"
        if shown.session_id is None:
            return "expired-session-token-missing-sid-claim"
        return NeedRefresh(
            session_id=shown.session_id,
            expired_token=expired,
            refresh_token=refresh_token,
            origin=context.address.origin,
            suffixed_cookies=context.chosen.suffixed,
            headers=self.headers,
        )

    def _send(
        self, reason: Reason, *, refresh: str | None = None, location: str | None = None
    ) -> Handshake | SignedOut:
        return handshake.send(
            self.context,
            reason,
            options=self.options,
            site=self.site,
            refresh=refresh,
            location=location,
        )


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined as RFC 9110, section 5.3, has it, cookies as RFC 9113,
    section 8.2.3."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        before = joined.get(key)
        joined[key] = value if before is None else before + ("; " if key == "cookie" else ", ") + value
    return joined
