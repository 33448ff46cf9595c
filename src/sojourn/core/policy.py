"""Policy: the lifetimes and limits of an instance, and what one session may have of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from sojourn.core.errors import Invalid

MINUTE, HOUR, DAY = 60, 3600, 86_400
MAX_SECONDS = 10 * 365 * DAY
"""Ten years, the longest duration that the published API accepts anywhere (315 360 000 s)."""
MAX_SESSIONS = 1000
"""The highest limit of concurrent sessions: they are counted, and looked through, at every creation."""
SessionLimitAction = Literal["deny", "evict_oldest", "evict_idle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Durations (seconds) that one session may have instead of its instance's; None leaves the policy's."""

    lifetime_seconds: int | None = None
    inactivity_seconds: int | None = None
    abandonment_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Lifetimes and limits of an instance. All durations are seconds.

    Defaults follow the published service (wire/backend-api.md section 2.5), but for `single_session`: there
    several sessions a client are the exception, here they are the rule.
    """

    lifetime_seconds: int = 7 * DAY
    """Maximum lifetime; fixes `expire_at` at creation and never slides."""
    inactivity_seconds: int | None = None
    """Time without activity after which a session expires; None: off."""
    abandonment_seconds: int | None = None
    """Fixes `abandon_at`; None: 30 days, raised to the expiry where that is later."""
    impersonation_lifetime_seconds: int = 30 * MINUTE
    """The most that a session with an actor may live."""
    impersonation_inactivity_seconds: int = 10 * MINUTE
    single_session: bool = False
    """True: a client holds one live session, and a new one replaces it."""
    require_organization: bool = False
    """True: a new session without an active organization is pending until one is chosen."""
    max_sessions_per_user: int | None = None
    """The most live sessions that a user may hold at once; None: any number."""
    session_limit_action: SessionLimitAction = "deny"
    """At the limit: refuse the new session, or replace the oldest one or the one idle for the longest."""
    touch_interval_seconds: int = 60
    """Activity is written at most once in this time for each session, so an inactivity limit may end a
    session up to this much early, and never late."""
    token_lifetime_seconds: int = 60
    refresh_max_age_seconds: int = DAY
    """How long after its `iat` an expired session token can still be exchanged for a new one."""
    session_token_template: str | None = None
    """The name of the template whose claims stand in every session token as well; None: none."""
    retention_seconds: int = 30 * DAY
    """How long an ended session is kept after its end."""
    event_retention_seconds: int = 90 * DAY

    def __post_init__(self) -> None:
        """Refuse values that contradict each other. Raises Invalid naming the setting."""
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_SECONDS:
                raise Invalid(name, f"{name} must be from 1 to {MAX_SECONDS} seconds.")
        if self.max_sessions_per_user is not None and not 1 <= self.max_sessions_per_user <= MAX_SESSIONS:
            raise Invalid("max_sessions_per_user", f"max_sessions_per_user must be from 1 to {MAX_SESSIONS}.")
        if self.session_limit_action not in get_args(SessionLimitAction):
            words = ", ".join(get_args(SessionLimitAction))
            raise Invalid("session_limit_action", f"session_limit_action must be one of {words}.")
        self._check_inactivity("inactivity_seconds", self.inactivity_seconds, self.lifetime_seconds)
        self._check_inactivity(
            "impersonation_inactivity_seconds",
            self.impersonation_inactivity_seconds,
            self.impersonation_lifetime_seconds,
        )

    def with_changes(self, changes: Mapping[str, object]) -> Policy:
        """This policy with some of its members changed. Raises Invalid naming a member that is unknown, has
        the wrong type or contradicts another."""
        for name, value in changes.items():
            spec = Policy.__dataclass_fields__.get(name)
            if spec is None:
                raise Invalid(name[:64], f"{name[:64]} is no member of the policy.")
            # An int is wanted where None stands for none, and a bool is no int here.
            default: object = spec.default
            kinds: tuple[type, ...] = (
                (_NAMES.get(name, int), type(None)) if default is None else (type(default),)
            )
            if type(value) not in kinds:
                raise Invalid(name, f"{name} has the wrong type.")
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]  # checked above

    def with_limits(self, limits: Limits) -> Policy:
        """This policy with one session's own durations. Raises Invalid naming the one that does not fit.

        An inactivity limit of the instance that a session's short lifetime makes pointless falls away.
        """
        lifetime = self.lifetime_seconds if limits.lifetime_seconds is None else limits.lifetime_seconds
        abandonment = limits.abandonment_seconds
        inactivity = limits.inactivity_seconds
        if inactivity is None and self.inactivity_seconds is not None and self.inactivity_seconds < lifetime:
            inactivity = self.inactivity_seconds
        return replace(
            self,
            lifetime_seconds=lifetime,
            inactivity_seconds=inactivity,
            abandonment_seconds=self.abandonment_seconds if abandonment is None else abandonment,
        )

    def for_actor(self) -> Policy:
        """This policy as it binds a session in which an actor acts as the user: short, whatever was asked."""
        lifetime = min(self.lifetime_seconds, self.impersonation_lifetime_seconds)
        inactivity = min(
            self.inactivity_seconds or MAX_SECONDS, self.impersonation_inactivity_seconds, lifetime
        )
        return replace(
            self,
            lifetime_seconds=lifetime,
            inactivity_seconds=inactivity if inactivity < lifetime else None,
        )

    def for_session(self, limits: Limits | None, *, acting: bool) -> Policy:
        """This policy as it binds one session, with its own durations if any, and `acting` as somebody else
        or not. Raises Invalid."""
        own = self if limits is None else self.with_limits(limits)
        return own.for_actor() if acting else own

    def _check_inactivity(self, name: str, inactivity: int | None, lifetime: int) -> None:
        if inactivity is None:
            return
        if inactivity >= lifetime:
            raise Invalid(name, "The inactivity limit must be shorter than the maximum lifetime.")
        if inactivity < 2 * self.touch_interval_seconds:
            # Shorter, and a session in constant use would be ended between two writes of its activity.
            raise Invalid(
                name,
                f"The inactivity limit must be at least twice the touch interval "
                f"({self.touch_interval_seconds} s).",
            )


_NAMES = {"session_token_template": str}
"""The members that are a text or none."""
_POSITIVE = (
    "lifetime_seconds",
    "inactivity_seconds",
    "abandonment_seconds",
    "impersonation_lifetime_seconds",
    "impersonation_inactivity_seconds",
    "touch_interval_seconds",
    "token_lifetime_seconds",
    "refresh_max_age_seconds",
    "retention_seconds",
    "event_retention_seconds",
)
