"""Data files from an S3 that fails: requests are retried, URLs signed again, messages wait or are refused."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import Meaning
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.reconcile import spool as spools
from orca_daemon.reconcile.download import DataFileError, S3Error
from orca_daemon.reconcile.protocol import Remote
from orca_daemon.reconcile.reasons import failure_of
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.reconcile.spool import Spool
from orca_daemon.settings import Settings
from tests.flaky_s3 import Answer, FlakyS3, error
from tests.reconcile.archive import Archive, Listed

BODY = b"some rows"
GOOD = Answer(200, BODY, {"x-amz-request-id": "1", "ETag": '"e"'})
EXPIRED = {
    "an expired token": error("ExpiredToken", 400),
    "an expired URL": error("AccessDenied", 403, "Request has expired"),
    "a clock": error("RequestTimeTooSkewed", 403),
    "a key that is gone": error("InvalidAccessKeyId", 403),
    "another signature": error("SignatureDoesNotMatch", 403),
}
PASSING = {
    "an internal error": error("InternalError", 500),
    "a page of a proxy": Answer(502, b"<html>", {"Content-Type": "text/html"}),
    "a page of a hotel": Answer(200, b"<html>please log in</html>", {"Content-Type": "text/html"}),
    "a denial of a proxy": Answer(403, b"<html>", {"Content-Type": "text/html"}),
    "half of the file": Answer(200, BODY[:4], GOOD.headers, cut=True),
    "a timeout": error("RequestTimeout", 400),
    "an error that breaks off": Answer(
        500, b"64\r\n<Error>", {"x-amz-request-id": "1", "Transfer-Encoding": "chunked"}
    ),
}
THROTTLED = {"slow down": error("SlowDown", 503), "too many requests": Answer(429)}


@pytest.fixture
def s3_that_lies(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyS3]:
    monkeypatch.setattr(spools, "_pauses", lambda: iter(lambda: 0.001, None))
    with FlakyS3("http://127.0.0.1:9") as s3:
        yield s3


def fetch(s3: FlakyS3, folder: Path, md5: str | None = None) -> Path:
    spool = Spool(folder, "CSV", None, 1000, lambda _: None, lambda *_: f"{s3.url}/signed-again")
    return spool.fetch(0, Remote(key="data/k", size=None, md5=md5, url=f"{s3.url}/signed"))


@pytest.mark.parametrize("wrong", EXPIRED.values(), ids=EXPIRED)
def test_a_signature_that_s3_does_not_accept_is_replaced(
    s3_that_lies: FlakyS3, tmp_path: Path, wrong: Answer
) -> None:
    s3_that_lies.answers = lambda _, path: GOOD if path == "/signed-again" else wrong

    assert fetch(s3_that_lies, tmp_path).read_bytes() == BODY
    assert [path for _, path in s3_that_lies.asked] == ["/signed", "/signed-again"]


@pytest.mark.parametrize("wrong", (PASSING | THROTTLED).values(), ids=PASSING | THROTTLED)
def test_a_transient_failure_is_retried(s3_that_lies: FlakyS3, tmp_path: Path, wrong: Answer) -> None:
    s3_that_lies.answers = lambda *_: wrong if len(s3_that_lies.asked) < 20 else GOOD

    assert fetch(s3_that_lies, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    ("wrong", "meaning", "kind"),
    [
        *((wrong, Meaning.PASSING, "s3") for wrong in PASSING.values()),
        *((wrong, Meaning.THROTTLED, "throttled") for wrong in THROTTLED.values()),
        (EXPIRED["an expired token"], Meaning.CREDENTIALS, "s3"),
        (EXPIRED["a clock"], Meaning.CLOCK, "s3"),
        (error("AccessDenied", 403), Meaning.DENIED, "denied"),
    ],
    ids=[*PASSING, *THROTTLED, "an expired token", "a clock", "a denial"],
)
def test_a_lasting_failure_is_reported_by_its_cause(
    s3_that_lies: FlakyS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Answer,
    meaning: Meaning,
    kind: str,
) -> None:
    monkeypatch.setattr(spools, "PATIENCE", {})
    s3_that_lies.answers = lambda *_: wrong

    with pytest.raises(S3Error, match="the data file data/k cannot be fetched") as raised:
        fetch(s3_that_lies, tmp_path)

    assert raised.value.meaning is meaning
    assert failure_of(raised.value, str(tmp_path)).kind == kind


@pytest.mark.parametrize(
    ("wrong", "output"),
    [
        (error("NoSuchKey", 404), "S3 answers 404 NoSuchKey"),
        (error("InvalidObjectState", 403), "S3 answers 403 InvalidObjectState"),
    ],
    ids=["missing", "archived"],
)
def test_a_data_file_that_cannot_be_fetched_is_refused(
    s3_that_lies: FlakyS3, tmp_path: Path, wrong: Answer, output: str
) -> None:
    s3_that_lies.answers = lambda *_: wrong

    with pytest.raises(DataFileError, match=output):
        fetch(s3_that_lies, tmp_path)
    assert len(s3_that_lies.asked) == 1


def test_the_download_of_a_file_stops_at_its_size_limit(s3_that_lies: FlakyS3, tmp_path: Path) -> None:
    s3_that_lies.answers = lambda *_: Answer(200, b"x" * 2000, GOOD.headers)

    with pytest.raises(DataFileError, match="has more than 1000 bytes"):
        fetch(s3_that_lies, tmp_path)


def test_a_file_that_differs_from_the_manifest_is_refused_after_some_tries(
    s3_that_lies: FlakyS3, tmp_path: Path
) -> None:
    s3_that_lies.answers = lambda *_: GOOD

    with pytest.raises(DataFileError, match="the MD5 of the data file data/k"):
        fetch(s3_that_lies, tmp_path, md5=hashlib.md5(b"", usedforsecurity=False).hexdigest())
    assert len(s3_that_lies.asked) == 5


class TestWithAChild:
    @pytest.fixture
    def flaky(self, aws_endpoint: str) -> Iterator[FlakyS3]:
        with FlakyS3(aws_endpoint) as s3:
            yield s3

    @pytest.fixture
    async def reconciler(
        self, settings: Settings, reconciler: Reconciler, flaky: FlakyS3
    ) -> AsyncIterator[Reconciler]:
        there = settings.aws.model_copy(update={"endpoint_url": flaky.url})
        async with connect(settings.model_copy(update={"aws": there})) as clients:
            yield Reconciler(settings, reconciler._database, clients.s3)

    async def test_the_daemon_signs_new_urls_at_the_childs_request(
        self, archive: Archive, reconciler: Reconciler, flaky: FlakyS3
    ) -> None:
        def answers(_: str, path: str) -> Answer | None:
            times = sum(".csv.gz" in asked for _, asked in flaky.asked)
            return EXPIRED["an expired token"] if ".csv.gz" in path and times <= 3 else None

        flaky.answers = answers
        succeeded: list[tuple[str, str]] = []
        listener = places._listener.set(lambda *place: succeeded.append(place))

        outcome = await reconciler.inventory(archive.inventory([Listed("a")], [Listed("b")]))

        places._listener.reset(listener)
        assert archive.orphans(outcome.job) == {"a", "b"}
        assert set(succeeded) == {("s3", f"read {archive.reports}")}

    @pytest.mark.parametrize(
        ("what", "wrong", "kind"),
        [
            ("manifest.json", error("SlowDown", 503), NotYet),
            ("manifest.json", error("InternalError", 500), DependencyDown),
            ("manifest.json", error("AccessDenied", 403), Refused),
            ("manifest.json", error("ExpiredToken", 400), DependencyDown),
            ("manifest.json", error("InvalidObjectState", 403), Reject),
            (".csv.gz", error("AccessDenied", 403), Refused),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_each_failure_of_s3_names_the_place(
        self,
        archive: Archive,
        reconciler: Reconciler,
        flaky: FlakyS3,
        what: str,
        wrong: Answer,
        kind: type[Exception],
    ) -> None:
        flaky.answers = lambda _, path: wrong if what in path else None

        with pytest.raises(kind) as raised:
            await reconciler.inventory(archive.inventory([Listed("a")]), sent=datetime.now(UTC))

        if isinstance(raised.value, DependencyDown | Refused):
            assert (raised.value.dependency, raised.value.place) == ("s3", f"read {archive.reports}")

    async def test_giving_up_on_a_manifest_that_s3_denies_creates_no_job(
        self, archive: Archive, reconciler: Reconciler, flaky: FlakyS3
    ) -> None:
        flaky.answers = lambda _, path: error("AccessDenied", 403) if "manifest.json" in path else None

        await reconciler.give_up(archive.inventory([Listed("a")]), "refused")

        assert archive.rows("SELECT 1 FROM orca.reconcile_job") == []
