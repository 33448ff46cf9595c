"""One tree of errors with stable codes. A class's docstring is its short message; no HTTP status lives here.

`code` follows the published catalogue (wire/backend-api.md appendix A) wherever it has a fitting one, so that
programs written against it keep working. `meta` holds machine-readable details with snake_case keys.
"""

from __future__ import annotations


class SojournError(Exception):
    """Something went wrong."""

    code: str = "internal_error"

    def __init__(self, detail: str | None = None, **meta: object) -> None:
        self.message: str = (type(self).__doc__ or "").strip()
        self.detail: str = detail or self.message
        self.meta: dict[str, object] = meta
        super().__init__(self.detail)


class NotFound(SojournError):
    """Resource not found."""

    code = "resource_not_found"

    def __init__(self, kind: str, identifier: str, *, by: str = "id") -> None:
        super().__init__(f"There is no {kind} with the {by} {clip(identifier)}.")
        self.message = f"{kind[:1].upper()}{kind[1:]} not found."


class Invalid(SojournError):
    """A parameter has a value that is not accepted."""

    code = "form_param_value_invalid"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail, param_name=parameter)


class Missing(Invalid):
    """A required parameter is missing."""

    code = "form_param_missing"


class Unknown(Invalid):
    """A parameter is not known here."""

    code = "form_param_unknown"


class Taken(Invalid):
    """That value is taken already."""

    code = "form_identifier_exists"


class IdempotencyMismatch(Invalid):
    """This idempotency key was used before for a different request."""

    code = "idempotency_key_reused"


class Several(SojournError):
    """More than one parameter is not accepted."""

    code = "form_param_value_invalid"

    def __init__(self, errors: list[Invalid]) -> None:
        super().__init__(" ".join(error.detail for error in errors))
        self.errors = errors


class TooBroad(SojournError):
    """This search looks at more than is looked at for one question; narrow it down."""

    code = "search_too_broad"


class Forbidden(SojournError):
    """This is not allowed."""

    code = "authorization_invalid"


class UserBanned(Forbidden):
    """This user is banned and cannot hold sessions."""

    code = "user_banned"


class UserLocked(Forbidden):
    """This user is locked and cannot be signed in."""

    code = "user_locked"


class SessionLimitReached(Forbidden):
    """This user holds as many sessions as the policy allows."""

    code = "quota_exceeded"


class NotAMember(Forbidden):
    """This user is not a member of this organization."""

    code = "not_a_member_in_organization"


class AlreadyAMember(SojournError):
    """This user is a member of this organization already."""

    code = "already_a_member_in_organization"


class MembershipLimitReached(Forbidden):
    """This organization takes no more members."""

    code = "organization_membership_quota_exceeded"


class OrganizationLimitReached(Forbidden):
    """This user may create no more organizations."""

    code = "quota_exceeded"


class SessionExists(SojournError):
    """This client already holds a session, and the instance allows one at a time."""

    code = "session_exists"


class SessionCreationNotAllowed(SojournError):
    """Somebody acts as another user on this client; until that ends no other session can be made there."""

    code = "session_creation_not_allowed"


class CookieInvalid(SojournError):
    """The client token is not valid."""

    code = "cookie_invalid"


class Conflict(SojournError):
    """Somebody changed this at the same moment; the change was not made."""

    code = "conflict"


class LastSecretKey(Conflict):
    """This is the last secret key: without it nobody can call the Backend API."""

    code = "last_secret_key"


class InvalidSessionToken(SojournError):
    """The session token could not be verified."""

    code = "invalid_session_token"


class LinkInvalid(SojournError):
    """The link is not valid, or not any more."""

    code = "link_invalid"


class Unavailable(SojournError):
    """The service cannot do this safely right now; nothing was changed."""

    code = "service_unavailable"


class InDoubt(Unavailable):
    """It is not known whether this was done; look before you do it again."""

    code = "commit_in_doubt"


class StorageFull(Unavailable):
    """The storage is full; nothing was changed."""

    code = "storage_full"


class StorageFailed(Unavailable):
    """The storage reported a fault; it takes no writes until the process is started again."""

    code = "storage_failed"


class AnswerLost(SojournError):
    """The answer was lost on its way; whether the change was made is not known."""

    code = "answer_lost"


class NotOffered(SojournError):
    """This is not offered over the network."""

    code = "not_offered"


class ConfigurationError(SojournError):
    """The configuration cannot be used."""

    code = "configuration_invalid"


class SchemaTooNew(ConfigurationError):
    """The database was written by a newer version of sojourn."""

    code = "schema_too_new"


class SchemaOutdated(ConfigurationError):
    """The database needs a migration, and automatic migration is switched off."""

    code = "schema_outdated"


class MasterKeyRefused(ConfigurationError):
    """The master key does not open this database."""

    code = "master_key_refused"


class PositionLost(SojournError):
    """This reading position is not known here any more; start again from a snapshot."""

    code = "position_lost"


def clip(text: str, limit: int = 64) -> str:
    """Shorten text that came from outside before it is quoted in a message."""
    return text if len(text) <= limit else text[:limit] + "…"
