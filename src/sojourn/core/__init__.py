"""The life cycle of sessions as pure data: standard library only, no clock, no randomness, no I/O."""
