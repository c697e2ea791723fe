"""The report of a measurement: its figures, and the targets that some of them must meet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A measured value and the limit that it must keep to."""

    name: str
    measured: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the value keeps to its limit."""
        low, high = self.at_least, self.at_most
        return (low is None or self.measured >= low) and (high is None or self.measured <= high)

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of `measure(size)`, which each module of a measurement has."""

    name: str
    figures: Mapping[str, float]
    targets: Sequence[Target] = ()

    @property
    def holds(self) -> bool:
        """Whether every target is met."""
        return all(target.holds for target in self.targets)

    def text(self) -> str:
        """The report as a table for people."""
        lines = [f"{name:<51} {value:>14,.3f}" for name, value in self.figures.items()]
        for target in self.targets:
            verdict = "ok  " if target.holds else "MISS"
            lines.append(f"{verdict} {target.name:<46} {target.measured:>14,.3f}  {target.limit}")
        return "\n".join(lines)

    def json(self) -> str:
        """The report as one line of JSON for programs."""
        targets = [
            {
                "name": target.name,
                "measured": round(target.measured, 4),
                "limit": target.limit,
                "holds": target.holds,
            }
            for target in self.targets
        ]
        figures = {name: round(value, 4) for name, value in self.figures.items()}
        return json.dumps({"name": self.name, "figures": figures, "targets": targets, "holds": self.holds})
