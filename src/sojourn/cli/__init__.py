"""The command line: one file a command group."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command; exits with 2 and one line of explanation where the configuration cannot be used."""
    try:
        from sojourn.cli.commands import app
    except ModuleNotFoundError as error:
        # The plain package embeds and verifies; the commands need the server extra.
        sys.exit(f"sojourn: the command line needs {error.name}; install sojourn[server].")
    from sojourn.core.errors import SojournError

    try:
        app()
    except SojournError as error:
        print(f"sojourn: {error.detail}", file=sys.stderr)
        sys.exit(2)
