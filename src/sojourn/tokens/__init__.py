"""Signed tokens and the keys behind them: pure but for cryptography.

`jws` signs and verifies, `keys` holds one key, `keyring` the keys of an instance, `envelope` seals them at
rest. Nothing here reads a clock, a file or a socket; `now_ms` and nonces are parameters.
"""
