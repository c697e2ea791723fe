"""What a measurement found, and whether it is good enough."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A number that was measured, and a limit for it."""

    name: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the number keeps to its limit."""
        low, high = self.at_least, self.at_most
        return (low is None or self.measured >= low) and (high is None or self.measured <= high)

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One measurement: `measure(size)` of each module here returns it."""

    name: str
    figures: Mapping[str, float]
    targets: Sequence[Target] = ()

    @property
    def holds(self) -> bool:
        """Whether every target is met."""
        return all(target.holds for target in self.targets)

    def text(self) -> str:
        """For eyes."""
        lines = [f"{name:<51} {value:>14,.3f}" for name, value in self.figures.items()]
        for one in self.targets:
            word = "ok  " if one.holds else "MISS"
            lines.append(f"{word} {one.name:<46} {one.measured:>14,.3f}  {one.limit}")
        return "\n".join(lines)

    def json(self) -> str:
        """For programs, in one line."""
        targets = [
            {"name": one.name, "measured": round(one.measured, 4), "limit": one.limit, "holds": one.holds}
            for one in self.targets
        ]
        figures = {name: round(value, 4) for name, value in self.figures.items()}
        return json.dumps({"name": self.name, "figures": figures, "targets": targets, "holds": self.holds})
