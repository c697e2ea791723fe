"""The state of a real schema, before and after an upgrade."""

import pytest

from orca_daemon.db import migrate
from orca_daemon.db.address import parse
from orca_daemon.db.migrate import UpgradeError
from orca_daemon.operations.schema import read_state, upgrade_steps


def test_an_empty_database_has_steps_and_is_usable_after_them(empty_database: str) -> None:
    address = parse(empty_database)

    before = read_state(address)
    taken = migrate.upgrade(address)
    after = read_state(address)

    assert (before.usable, after.usable) == (False, True)
    assert before.steps == taken
    assert after.steps == upgrade_steps(address) == []


def test_a_foreign_schema_has_a_state_without_steps(empty_database: str) -> None:
    address = parse(empty_database)
    with migrate._connected(address) as connection:
        connection.exec_driver_sql("CREATE SCHEMA orca")
        connection.exec_driver_sql("CREATE TABLE orca.other (id int)")

    state = read_state(address)

    assert (state.usable, state.steps) == (False, [])
    with pytest.raises(UpgradeError, match="older than ORCA's version 5"):
        upgrade_steps(address)
