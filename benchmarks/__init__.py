"""What sojourn promises about speed, measured: `python -m benchmarks [name ...] [--quick] [--json]`.

Every figure that has a bar is a ratio of two things measured in the same run, one after the other in turns,
so that a busy machine slows both. The server has one core to itself and the load generator another.
"""
