"""An idle daemon has not imported what only some messages need; the first such message brings it in."""

import re
import subprocess
import sys

from orca_daemon.wire.inventory import ExportRequest, export_message
from tests.end_to_end.conftest import Deployment

IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
"""A line of `python -X importtime`."""
LATE = {"pyarrow", "duckdb", "numpy", "pandas", "alembic", "boto3", "rich.console", "pygments", "moto"}


def imported(deployment: Deployment) -> set[str]:
    return set(IMPORTED.findall(deployment.log.read_text()))


def test_the_command_line_imports_neither_the_log_nor_the_queues() -> None:
    program = (
        "import sys, orca_daemon.cli; print({'structlog', 'sqlalchemy', 'aiobotocore'} & sys.modules.keys())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_arrow_is_imported_by_the_first_export(deployment: Deployment) -> None:
    deployment.start(PYTHONPROFILEIMPORTTIME="1")
    assert "sqlalchemy" in imported(deployment)
    assert imported(deployment) & LATE == set()
    deployment.send("internal_report", export_message(ExportRequest(tables_to_query=("recovery_job",))))
    deployment.await_empty("internal_report")
    assert "pyarrow" in imported(deployment)


def test_the_child_that_compares_imports_little_before_postgres_reads() -> None:
    heavy = {"numpy", "pyarrow", "duckdb", "sqlalchemy", "pydantic", "botocore"}
    program = f"import sys, orca_daemon.reconcile.child; print({heavy!r} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
