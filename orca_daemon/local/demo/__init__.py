"""The demo: a sample workload of recoveries, bad messages, an inventory and an export, with its checks."""

from orca_daemon.local.demo.story import play

__all__ = ["play"]
