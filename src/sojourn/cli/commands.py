"""All commands in one application."""

from __future__ import annotations

from cyclopts import App

import sojourn
from sojourn.cli import (
    backups,
    bench,
    doctor,
    keys,
    operate,
    organizations,
    policy,
    serve,
    sessions,
    templates,
    users,
)

app = App(name="sojourn", version=sojourn.__version__, help="The session layer you own.")
app.command(serve.serve)
app.command(operate.migrate)
app.command(operate.sweep)
app.command(backups.backup)
app.command(backups.restore)
app.command(doctor.doctor)
app.command(sessions.app)
app.command(users.app)
app.command(organizations.app)
app.command(templates.app)
app.command(policy.app)
app.command(keys.app)
app.command(bench.app)
app.register_install_completion_command()  # pyright: ignore[reportUnknownMemberType]
