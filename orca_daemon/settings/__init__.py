"""Every setting of the daemon, and the places from which it is read.

A later place wins: the TOML file, the environment (ORCA's own names, then `ORCA_<SECTION>__<KEY>`), flags.
All mistakes are reported together, as one `SettingsError`, before the daemon connects to anything.
"""

from orca_daemon.settings.names import shown
from orca_daemon.settings.sections import (
    STANDARD_QUEUES,
    AwsSection,
    ConsoleSection,
    CopiesSection,
    DatabaseSection,
    EngineSection,
    ExportSection,
    ExportTable,
    HttpSection,
    LogSection,
    QueueSection,
    ReconcileSection,
    RecoverySection,
    RestoreSection,
    Section,
    Settings,
)
from orca_daemon.settings.sources import ORCA_NAMES, SettingsError, load

__all__ = [
    "ORCA_NAMES",
    "STANDARD_QUEUES",
    "AwsSection",
    "ConsoleSection",
    "CopiesSection",
    "DatabaseSection",
    "EngineSection",
    "ExportSection",
    "ExportTable",
    "HttpSection",
    "LogSection",
    "QueueSection",
    "ReconcileSection",
    "RecoverySection",
    "RestoreSection",
    "Section",
    "Settings",
    "SettingsError",
    "load",
    "shown",
]
