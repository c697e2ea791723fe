"""If the child cannot connect to the database, its failure names the host and the cause, and no secret."""

from dataclasses import replace
from pathlib import Path

import pytest

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.reconcile.child import compared
from orca_daemon.reconcile.protocol import ComparisonFailure, FailureKind
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.settings import Settings
from tests.reconcile.archive import CREATED

SECRET = "s3cret-passw0rd"


@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        pytest.param({}, "Connection refused", id="no server"),
        pytest.param({"sslmode": "bogus"}, 'invalid sslmode value: "bogus"', id="value of an option"),
        pytest.param({"colour": "red"}, 'invalid connection option "colour"', id="unknown option"),
        pytest.param({"host": "db.invalid"}, 'could not translate host name "db.invalid"', id="unknown host"),
    ],
)
def test_a_child_that_cannot_connect_names_host_and_cause_and_no_secret(
    settings: Settings, tmp_path: Path, parameters: dict[str, str], cause: str
) -> None:
    address = DatabaseAddress("127.0.0.1", 1, "orca", "orcauser", SECRET)
    comparison = Comparison(bucket="archive", created=CREATED)
    work = task(settings, address, comparison, tmp_path, 1)
    work = replace(work, database=work.database | parameters)

    failure = compared(work, [], lambda _: None, lambda _index, _reason: "")

    assert isinstance(failure, ComparisonFailure)
    assert failure.kind is FailureKind.SQL
    host = parameters.get("host", "127.0.0.1")
    assert failure.reason.startswith(f"the catalog cannot be read: no connection can be opened: {cause}")
    assert failure.reason.endswith(f"(host {host}, port 1, dbname orca)")
    assert SECRET not in failure.reason
