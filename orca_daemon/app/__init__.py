"""The daemon process: checks, start, run, drain, stop."""

from orca_daemon.app.life import main, serve
from orca_daemon.ops.exits import Exit, StartConfigurationError

__all__ = ["Exit", "StartConfigurationError", "main", "serve"]
