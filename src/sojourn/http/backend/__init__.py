"""The compatible Backend API: one file a resource (wire/backend-api.md)."""

from sojourn.http.backend import clients, jwks, sessions, tickets, users

OPERATIONS = (
    *sessions.OPERATIONS,
    *clients.OPERATIONS,
    *jwks.OPERATIONS,
    *users.OPERATIONS,
    *tickets.OPERATIONS,
)
