"""Whatever was read can be stored: texts of the largest size, and characters in any encoding."""

import json
import random
from contextlib import closing
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Connection, text

from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.queues.catalog.store import apply
from orca_daemon.settings import DatabaseSection
from orca_daemon.wire import catalog
from orca_daemon.wire.catalog import LARGEST_KEY
from tests.conftest import Server
from tests.queues.catalog.messages import body, file, record


def incompressible(size: int, wide: str = "") -> str:
    """A text of so many bytes that Postgres cannot compress to fit an index."""
    letters = "".join(map(chr, range(0x21, 0x7F))) + wide * 40
    drawn = "".join(random.Random(size).choices(letters, k=size))
    text = drawn.encode()[:size].decode(errors="ignore")
    return text + "." * (size - len(text.encode()))


@pytest.mark.parametrize("wide", ["", "\U0001f680é"], ids=["narrow", "wide"])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 1300, LARGEST_KEY], ids=str)
def test_keys_of_the_largest_size_are_stored(connection: Connection, wide: str, size: int) -> None:
    first, second = incompressible(size, wide), incompressible(LARGEST_KEY - size, wide)
    buckets = {"orcaArchiveLocation": second, "cumulusArchiveLocation": second}
    document = body(file(first, **buckets, etag="e" * 9000), granule_id=second)
    document["collection"]["collectionId"] = first
    document["provider"]["providerId"] = incompressible(LARGEST_KEY, wide)
    apply(connection, [catalog.decode(json.dumps(document))])
    assert list(connection.scalars(text("SELECT key_path FROM orca.files"))) == [first]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_characters_are_stored_whatever_the_encoding_of_the_database(
    postgres: Server, encoding: str
) -> None:
    name = f"t_{uuid4().hex}"
    with closing(psycopg2.connect(postgres.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' "
            "LC_COLLATE 'C' LC_CTYPE 'C' STRATEGY file_copy"
        )
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    upgrade(url)
    database = Database(DatabaseSection.model_validate({"url": url}))
    await database.transact(apply, [record(file("\x01ü\\n\"{}'.h5"), granule_id="é")])
    stored = await database.transact(
        lambda connection: connection.execute(
            text(
                "SELECT cumulus_granule_id, key_path "
                "FROM orca.files JOIN orca.granules AS g ON g.id = granule_id"
            )
        ).all()
    )
    database.close()
    postgres.drop(url)
    assert [tuple(row) for row in stored] == [("é", "\x01ü\\n\"{}'.h5")]
