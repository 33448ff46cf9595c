"""The compatible Frontend API: one file a resource (wire/frontend-api.md)."""

from sojourn.http.frontend import (
    client,
    dev_browser,
    environment,
    handshake,
    me,
    navigation,
    sessions,
    sign_ins,
    well_known,
)

OPERATIONS = (
    *environment.OPERATIONS,
    *client.OPERATIONS,
    *sign_ins.OPERATIONS,
    *sessions.OPERATIONS,
    *me.OPERATIONS,
    *dev_browser.OPERATIONS,
    *navigation.OPERATIONS,
    *handshake.OPERATIONS,
    *well_known.OPERATIONS,
)
