"""What a mutant of the engine is, and the list that `mutants` fills."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

Mutant: TypeAlias = Callable[[], AbstractContextManager[object]]
MUTANTS: dict[str, tuple[Mutant, str]] = {}
"""Each with the promise that it breaks; others may break with it."""


def breaks(promise: str) -> Callable[[Mutant], Mutant]:
    """Enter a mutant in the list."""

    def enter(mutant: Mutant) -> Mutant:
        MUTANTS[mutant.__name__] = (mutant, promise)
        return mutant

    return enter
