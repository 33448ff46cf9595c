"""Verifying a session token: ours, other libraries', and OpenSSL's bare verification.

Run alone: `python -m benchmarks.verifiers ROUNDS`; prints what `sojourn bench verify --json` does.
"""

from __future__ import annotations

import json
import sys

from sojourn.cli.bench_verify import measure

if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
