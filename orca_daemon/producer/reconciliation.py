"""The states of a reconciliation job, by their name in ORCA's shared library."""

from orca_daemon.wire.reconciliation import ReconcileStatus as OrcaStatus

__all__ = ["OrcaStatus"]
