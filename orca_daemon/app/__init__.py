"""The process: builds everything, then starts, runs, drains and stops."""

from orca_daemon.app.exits import ConfigurationError, Exit
from orca_daemon.app.life import main, serve

__all__ = ["ConfigurationError", "Exit", "main", "serve"]
