"""What the compatible API lacks, under /sojourn/v1: the same keys, the same form of errors, additive only."""

from sojourn.http.own import end_links, endings, instance, policy, revocations, sessions, users

OPERATIONS = (
    *sessions.OPERATIONS,
    *users.OPERATIONS,
    *endings.OPERATIONS,
    *end_links.OPERATIONS,
    *policy.OPERATIONS,
    *revocations.OPERATIONS,
    *instance.OPERATIONS,
)
