"""The short form of the fuzzer; `make fuzz-verify` runs the long one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import clean_environment
from tests.verify import fuzz

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", fuzz.seeds(), ids=range(len(fuzz.seeds())))
def test_every_seed_keeps_the_promises(seed: bytes) -> None:
    """What the fuzzer starts from breaks nothing, and neither does it cut short at any place."""
    for length in range(0, len(seed), 1 + len(seed) // 40):
        fuzz.one_input(seed[:length])
    fuzz.one_input(seed)


@settings(max_examples=300)
@given(
    st.sampled_from(range(len(fuzz.READERS))), st.binary(max_size=300) | st.text(max_size=100).map(str.encode)
)
def test_any_bytes_keep_the_promises(reader: int, data: bytes) -> None:
    """Bytes that have nothing to do with a token, a cookie or a key set break nothing."""
    fuzz.one_input(bytes([reader]) + data)


def test_the_fuzzer_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a verifier that lets another token in, or a line that breaks out, fails the promises."""
    monkeypatch.setattr(fuzz, "GOOD", "another")
    with pytest.raises(AssertionError):
        fuzz.token(signed())
    monkeypatch.setattr(fuzz, "directives_of", lambda lines: lines)
    with pytest.raises(AssertionError):
        fuzz.directives(b"x=1\r\nSet-Cookie: y=2")


def signed() -> bytes:
    """A good token that is not the one which the fuzzer lets pass."""
    return fuzz.forge(fuzz.good_header(fuzz.KEY), fuzz.good_claims(), fuzz.rs256(fuzz.KEY)).encode()


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel here")
def test_the_coverage_guided_fuzzer_in_short(tmp_path: Path) -> None:
    """Some thousand inputs, chosen by where they lead, break nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.verify.fuzz",
            "-runs=3000",
            "-seed=1",
            "-timeout=60",
            f"-artifact_prefix={tmp_path}/",
        ],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 3000 runs" in done.stderr
