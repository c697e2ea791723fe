"""Asks Postgres whether it hashes texts as `server_hash` does."""

import sys

import psycopg2

from orca_daemon.db.session import Session

SEED = -0x123456789ABCDEF
HASHES = {
    "": -4553942660173920308,
    "a": 3825503374248680710,
    "etag": -7801625781326008525,
    "12 bytes of!": 6446600997839188975,
    "13 bytes of a": -6474518579290689435,
    "granule/ATL03_20260101000000_006_01.h5": -7653411469123645590,
    "é" * 17: -1411834514743476077,
}
"""Texts and their hashes with this seed on a machine that has the lowest byte of a number first."""
_ASK = """
SELECT pg_catalog.hashtextextended(t.text COLLATE "C", %s)
FROM pg_catalog.unnest(%s::pg_catalog.text[]) WITH ORDINALITY AS t (text, position)
WHERE pg_catalog.current_setting('server_encoding') = 'UTF8'
ORDER BY t.position
"""


def agrees(session: Session) -> bool:
    """Whether the server computes the same hashes: it has the function, UTF-8 and our order of bytes.

    Args:
        session: not in a transaction, which an error would abort.
    """
    try:
        with session.cursor() as cursor:
            cursor.execute(_ASK, (SEED, list(HASHES)))
            answer = [row[0] for row in cursor.fetchall()]
    # No such function, or the database's encoding lacks a character.
    except (psycopg2.ProgrammingError, psycopg2.NotSupportedError, psycopg2.DataError):
        return False
    return sys.byteorder == "little" and answer == list(HASHES.values())
