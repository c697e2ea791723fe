"""The state of a real database, and where the database of the settings is."""

import pytest

from orca_daemon.db import migrate
from orca_daemon.db.address import AddressError, parse
from orca_daemon.db.migrate import UpgradeError
from orca_daemon.operations import database
from tests.operations.conftest import MakeSettings


def test_an_empty_database_has_steps_and_is_usable_after_them(empty_database: str) -> None:
    address = parse(empty_database)

    before = database.state(address)
    taken = migrate.upgrade(address)
    after = database.state(address)

    assert (before.usable, after.usable) == (False, True)
    assert before.steps == taken
    assert after.steps == database.upgrade_steps(address) == []


def test_a_foreign_schema_has_a_state_without_steps(empty_database: str) -> None:
    address = parse(empty_database)
    with migrate._connected(address) as connection:
        connection.exec_driver_sql("CREATE SCHEMA orca")
        connection.exec_driver_sql("CREATE TABLE orca.other (id int)")

    state = database.state(address)

    assert (state.usable, state.steps) == (False, [])
    with pytest.raises(UpgradeError, match="older than ORCA's version 5"):
        database.upgrade_steps(address)


async def test_settings_without_a_database_have_no_address(make_settings: MakeSettings) -> None:
    with pytest.raises(AddressError, match="no database is configured"):
        await database.address(make_settings())


async def test_an_address_needs_no_aws_if_no_setting_names_a_secret(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a client of AWS was made")

    monkeypatch.setattr(database, "connect", fail)
    address = await database.address(make_settings(DATABASE_URL="postgresql://u@h/d"))
    assert (address.host, address.database) == ("h", "d")
