"""The pages in the order of the navigation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the navigation."""

    title: str
    path: str

    def holds(self, path: str) -> bool:
        """Whether a path is this page or one below it."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


ENTRIES = (
    Entry("Now", "/"),
    Entry("Recoveries", "/recoveries"),
    Entry("Failures", "/failures"),
    Entry("Dead letters", "/dead-letters"),
    Entry("Reconciliation", "/reconciliation"),
    Entry("Exports", "/exports"),
    Entry("Actions", "/actions"),
)
