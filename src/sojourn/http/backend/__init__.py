"""The compatible Backend API: one file a resource (wire/backend-api.md)."""

from sojourn.http.backend import (
    clients,
    jwks,
    memberships,
    organizations,
    refresh,
    sessions,
    templates,
    tickets,
    user_lists,
    users,
)

OPERATIONS = (
    *sessions.OPERATIONS,
    *refresh.OPERATIONS,
    *clients.OPERATIONS,
    *jwks.OPERATIONS,
    *user_lists.OPERATIONS,
    *users.OPERATIONS,
    *organizations.OPERATIONS,
    *memberships.OPERATIONS,
    *tickets.OPERATIONS,
    *templates.OPERATIONS,
)
