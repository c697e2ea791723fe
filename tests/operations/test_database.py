"""Where the database of the settings is, and that AWS is asked only for secrets."""

import pytest

from orca_daemon.aws import clients
from orca_daemon.db.address import AddressError
from orca_daemon.operations.database import database_address
from tests.operations.conftest import MakeSettings


async def test_settings_without_a_database_have_no_address(make_settings: MakeSettings) -> None:
    with pytest.raises(AddressError, match="no database is configured"):
        await database_address(make_settings())


async def test_an_address_needs_no_aws_if_no_setting_names_a_secret(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a client of AWS was made")

    monkeypatch.setattr(clients, "connect", fail)
    address = await database_address(make_settings(DATABASE_URL="postgresql://u@h/d"))
    assert (address.host, address.database) == ("h", "d")
