"""What is generated from the code is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.mark.parametrize("tool", ["gen_docs.py", "gen_blocking.py"])
def test_generated_files_are_up_to_date(tool: str) -> None:
    """Running the tool again would change nothing."""
    done = subprocess.run([sys.executable, TOOLS / tool, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
