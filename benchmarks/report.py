"""Figures and the table they are printed in."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table. With a `bar` the `value` has to be at least or at most that."""

    part: str
    name: str
    measured: str
    """What was measured, with its unit, in words."""
    value: float | None = None
    """The figure that is compared: a ratio, or bytes, or MB."""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the bar is kept; None where there is none."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.at_most is not None and self.value <= self.at_most

    def as_json(self) -> dict[str, object]:
        """For the last line of --json."""
        return {
            "part": self.part,
            "name": self.name,
            "measured": self.measured,
            "value": self.value,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "ok": self.ok,
        }


@dataclass(frozen=True)
class Turns:
    """What several things gave that were measured in turns."""

    values: list[list[float]]

    def median(self, side: int) -> float:
        """The median of one side."""
        return statistics.median(self.values[side])

    def ratio(self, side: int, to: int) -> float:
        """The median, over the turns, of one side's value to the other's in the same turn."""
        pairs = zip(self.values[side], self.values[to], strict=True)
        return statistics.median(a / b for a, b in pairs)


def take_turns(rounds: int, *sides: Callable[[], float]) -> Turns:
    """Measure A B, B A, A B …: a slow phase of the machine meets both, and neither is always the second."""
    values: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        order = list(enumerate(sides))
        for side, measure in order if number % 2 == 0 else reversed(order):
            values[side].append(measure())
    return Turns(values)


def table(figures: Sequence[Figure]) -> str:
    """The table as text."""
    lines = [("what", "measured", "bar", "value", "ok")]
    for figure in figures:
        bar = ""
        if figure.at_least is not None:
            bar = f">= {figure.at_least:g}"
        elif figure.at_most is not None:
            bar = f"<= {figure.at_most:g}"
        value = (
            ""
            if figure.value is None
            else f"{figure.value:.2f}"
            if figure.value < 20
            else f"{figure.value:.0f}"
        )
        verdict = {True: "ok", False: "MISSED", None: ""}[figure.ok]
        lines.append((figure.name, figure.measured, bar, value, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    lines.insert(1, tuple("-" * width for width in widths))  # pyright: ignore[reportArgumentType]
    right = (3,)
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
