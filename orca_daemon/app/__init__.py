"""The daemon process: checks, start, run, drain, stop."""

from orca_daemon.app.exits import Exit, StartConfigurationError
from orca_daemon.app.life import main, serve

__all__ = ["Exit", "StartConfigurationError", "main", "serve"]
