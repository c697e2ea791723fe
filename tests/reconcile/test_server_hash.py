"""A listing is hashed as Postgres hashes the catalog, and only if the server hashes so."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg2
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.db.session import Session
from orca_daemon.reconcile import hash_agreement, server_hash
from tests.conftest import Server

SEEDS = st.integers(-(2**62), -1)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
HASH = 'SELECT hashtextextended(%s COLLATE "C", %s)'


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator[Any]:
    with closing(psycopg2.connect(postgres.url, connection_factory=Session)) as connection:
        connection.autocommit = True
        yield connection


def by_server(connection: Any, texts: Sequence[str], seeds: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        found = []
        for text, seed in zip(texts, seeds, strict=True):
            cursor.execute(HASH, (text, seed))
            found.append(cursor.fetchone()[0])
        return found


def by_us(texts: pa.StringArray, seeds: Sequence[int], *, quotes: bool = False) -> list[int]:
    hashes = server_hash.hashes(texts, np.array(seeds, np.int64).view(np.uint64), quotes=quotes)
    found: list[int] = hashes.view(np.int64).tolist()
    return found


@given(st.lists(st.tuples(TEXTS, SEEDS), max_size=8))
def test_texts_of_any_lengths_have_the_hashes_of_the_server(
    connection: Any, pairs: list[tuple[str, int]]
) -> None:
    texts, seeds = [text for text, _ in pairs], [seed for _, seed in pairs]
    assert by_us(pa.array(texts, pa.string()), seeds) == by_server(connection, texts, seeds)


@pytest.mark.parametrize("length", range(40))
def test_texts_of_one_length_have_the_hashes_of_the_server(connection: Any, length: int) -> None:
    texts, seeds = [letter * length for letter in "abc"], [-1, -2, -(2**40)]
    assert by_us(pa.array(texts), seeds) == by_server(connection, texts, seeds)


def test_many_texts_are_hashed_in_parts(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_hash, "_ROWS", 3)
    texts = [f"{number:0{number % 30}}" for number in range(50)]
    seeds = [-1 - number for number in range(50)]
    assert by_us(pa.array(texts), seeds) == by_server(connection, texts, seeds)


@pytest.mark.parametrize(
    "texts",
    [
        *([letter * length for letter in "abc"] for length in range(40)),
        ['"quoted"', "not", "", '"', 'one"'],
        ['"a"', '"b"'],
    ],
)
def test_a_text_without_quotes_is_hashed_as_if_it_had_them(texts: list[str]) -> None:
    seeds = [-1 - number for number in range(len(texts))]
    quoted = [text if text.startswith('"') else f'"{text}"' for text in texts]
    assert by_us(pa.array(texts), seeds, quotes=True) == by_us(pa.array(quoted), seeds)


@pytest.mark.parametrize("length", [(1 << 15) - 3, (1 << 15) - 2, (1 << 15) - 1, 1 << 16])
def test_long_texts_are_hashed_with_quotes(length: int) -> None:
    assert by_us(pa.array(["x" * length]), [-1], quotes=True) == by_us(pa.array([f'"{"x" * length}"']), [-1])


def test_part_of_an_array_and_nulls_are_hashed(connection: Any) -> None:
    part = pa.array(["before", "a", None, "a longer one", "after"]).slice(1, 3)
    assert by_us(part, [-1, -2, -3]) == by_server(connection, ["a", "", "a longer one"], [-1, -2, -3])
    assert by_us(part, [-1, -2, -3], quotes=True) == by_us(
        pa.array(['"a"', '""', '"a longer one"']), [-1, -2, -3]
    )


def test_the_examples_have_our_hashes() -> None:
    texts = pa.array(list(hash_agreement.HASHES))
    assert by_us(texts, [hash_agreement.SEED] * len(texts)) == list(hash_agreement.HASHES.values())


def test_the_server_agrees(connection: Any) -> None:
    assert hash_agreement.agrees(connection)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1251", "SQL_ASCII"])
def test_a_server_with_another_encoding_does_not_agree(
    postgres: Server, connection: Any, encoding: str
) -> None:
    name = f"encoded_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    try:
        with closing(psycopg2.connect(url, connection_factory=Session)) as other:
            other.autocommit = True
            other.set_client_encoding("UTF8")
            assert not hash_agreement.agrees(other)
    finally:
        postgres.drop(url)


@pytest.mark.parametrize(
    "question",
    ["SELECT no_such_function(%s, %s::text[])", "SELECT 1 WHERE %s IS NOT NULL AND %s IS NOT NULL"],
    ids=["no such function", "other hashes"],
)
def test_a_server_with_other_hashes_does_not_agree_and_can_be_used(
    connection: Any, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hash_agreement, "_ASK", question)
    assert not hash_agreement.agrees(connection)
    assert by_server(connection, ["a"], [-1]) == by_us(pa.array(["a"]), [-1])
