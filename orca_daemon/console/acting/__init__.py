"""Actions: a form, a preview that says what will happen, a confirmation, and the action once for each id."""

from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress

__all__ = ["Action", "Fields", "Outcome", "Preview", "Progress"]
