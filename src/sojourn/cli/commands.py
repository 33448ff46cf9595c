"""All commands in one application."""

from __future__ import annotations

from cyclopts import App

import sojourn
from sojourn.cli import keys, operate, serve

app = App(name="sojourn", version=sojourn.__version__, help="The session layer you own.")
app.command(serve.serve)
app.command(operate.migrate)
app.command(operate.sweep)
app.command(keys.app)
