"""The states of a reconciliation job, under the name that ORCA's shared library gives them."""

from orca_daemon.wire.reconciliation import ReconcileStatus as OrcaStatus

__all__ = ["OrcaStatus"]
