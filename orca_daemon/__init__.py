"""One long-running process that does the queue work of an ORCA archive."""

__version__ = "0.1.0"
