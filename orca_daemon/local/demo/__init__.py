"""The sample workload: an archive, recoveries, mistakes and an inventory, and the story of what happened."""

from orca_daemon.local.demo.story import play

__all__ = ["play"]
