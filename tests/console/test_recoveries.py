"""The list of recoveries by collection and bucket, and the forms for one granule or one file."""

import re
from collections.abc import Iterator
from contextlib import closing
from html import unescape

import psycopg2
import pytest

from tests.console.conftest import ALICE, Console
from tests.hostile import unplant


@pytest.fixture(autouse=True)
def _empty(console: Console, guarded: Console) -> Iterator[None]:
    yield
    for each in (console, guarded):
        unplant(each.database_url)


def execute(console: Console, statement: str) -> None:
    with closing(psycopg2.connect(console.database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET search_path = orca")
        cursor.execute(statement)


def jobs_of(page: str) -> list[str]:
    return [unescape(job) for job in re.findall(r'href="/recoveries/job\?id=([^"&]+)"', page)]


def test_the_list_has_only_jobs_of_the_collection_and_the_bucket(console: Console) -> None:
    execute(
        console,
        """
        INSERT INTO recovery_job
        SELECT 'job' || n, 'c' || n % 3, 'g', 'b' || n % 2, 4, now() - n * interval '1 s', now()
        FROM generate_series(1, 600) AS n;
        INSERT INTO recovery_job VALUES ('job6', 'rare', 'g', 'b0', 4, now(), now())
        """,
    )
    browser = console.browser()
    shown = jobs_of(browser.get("/recoveries?collection=c1&bucket=b0").text)
    assert shown == [f"job{n}" for n in range(1, 600) if n % 3 == 1 and n % 2 == 0][:50]
    # The job stands where its granule of this collection stands, and is found behind many others.
    assert jobs_of(browser.get("/recoveries?collection=rare&status=copied").text) == ["job6"]
    assert jobs_of(browser.get("/recoveries?collection=rare&bucket=b1").text) == []


def test_a_page_looks_through_so_many_recoveries_and_the_next_one_goes_on(console: Console) -> None:
    execute(
        console,
        """
        INSERT INTO recovery_job
        SELECT 'new' || n / 10, 'other', 'g' || n, 'b', 4, now() - n * interval '1 s', now()
        FROM generate_series(1, 21000) AS n;
        INSERT INTO recovery_job SELECT 'old' || n, 'wanted', 'g', 'b', 4, now() - interval '1 year', now()
        FROM generate_series(1, 3) AS n
        """,
    )
    browser = console.browser()
    first = browser.get("/recoveries?collection=wanted").text
    assert jobs_of(first) == []
    assert "Searched back to" in first
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert jobs_of(browser.get(unescape(following)).text) == ["old3", "old2", "old1"]


def test_one_granule_and_one_file_have_forms_of_their_own(guarded: Console) -> None:
    execute(
        guarded,
        """
        INSERT INTO recovery_job
        SELECT 'j', 'c', 'g' || n, 'b', 1, now(), NULL FROM generate_series(1, 2) AS n;
        INSERT INTO recovery_file
        SELECT 'j', 'c', 'g' || granule, 'f' || n, 'k' || n, NULL, 'target', 2 + n, 'lost', now(), now(), NULL
        FROM generate_series(1, 2) AS granule, generate_series(1, 2) AS n
        """,
    )
    browser = guarded.browser()
    browser.log_in(ALICE)
    page = browser.get("/recoveries/job?id=j&granule=g2").text
    assert page.count('<th scope="row">') == 2
    assert "Recover this granule" in page
    forms = re.findall(r'<form class="act" method="post" action="/act/recover">(.*?)</form>', page)
    fields = [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in forms]
    assert [
        {name: each[name] for name in ("granule", "file") if name in each}
        for each in fields
        if "granule" in each
    ] == [{"granule": "g2"}, {"granule": "g2", "file": "f1"}]
    preview = browser.post("/act/recover", fields[-1])
    assert preview.status == 200
    assert "1 file, with those that failed" in preview.text
