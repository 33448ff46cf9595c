"""For tests of programs that use sojourn: a clock that can be moved, ids that repeat, the contract of stores.

`StoreContract` is in `sojourn.testing.contract`; it needs pytest and hypothesis, as nothing else here does.
"""

from sojourn.testing.clock import ManualClock
from sojourn.testing.entropy import SequentialEntropy

__all__ = ["ManualClock", "SequentialEntropy"]
