"""A daemon is killed or stopped in the middle of an export: each row still ends up in exactly one file."""

import signal
from collections import Counter
from datetime import UTC, datetime
from io import BytesIO

import pyarrow.parquet as pq
import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.wire.inventory import ExportRequest, export_message
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import QUICK, MakeLink, await_event, kill, send_signal
from tests.faults.link import Link

ROWS = 200
TABLES = """
    CREATE TABLE small AS SELECT i AS id, now() - interval '1 hour' AS last_updated
        FROM generate_series(1, 3) i;
    CREATE TABLE large AS SELECT i AS id, now() - interval '1 hour' AS last_updated,
            (SELECT string_agg(sha512((i * 1000 + j)::text::bytea), '') FROM generate_series(1, 1000) j) noise
        FROM generate_series(1, %s) i
"""
EXPORTED_TABLES = {f"ORCA_EXPORT__TABLES__{name}__COLUMN": "last_updated" for name in ("SMALL", "LARGE")}
SECOND_PART = b"partNumber=2"
REQUEST = ExportRequest(tables_to_query=("small", "large"))


def test_an_export_whose_daemon_was_killed_is_finished_by_another(
    deployment: Deployment, make_link: MakeLink, aws_endpoint: str
) -> None:
    first, link = _start_and_hold_export(deployment, make_link(aws_endpoint))

    kill(first)

    assert _files(deployment) == {"small": 1}
    assert _unfinished_uploads(deployment) == 1
    deployment.rows("INSERT INTO small VALUES (4, %s)", datetime.now(UTC))
    link.cut()
    link.release()
    deployment.start(**EXPORTED_TABLES, **QUICK)
    deployment.await_empty("internal_report")

    assert _files(deployment) == {"small": 2, "large": 1}
    _assert_every_row_is_in_one_file(deployment, small=4)


@pytest.mark.matrix
def test_a_second_daemon_waits_for_an_export_that_a_stopped_daemon_still_holds(
    deployment: Deployment, make_link: MakeLink, aws_endpoint: str
) -> None:
    first, link = _start_and_hold_export(deployment, make_link(aws_endpoint))

    send_signal(first, signal.SIGSTOP)
    deployment.start(**EXPORTED_TABLES, **QUICK)
    await_event(deployment, "export.waits")
    send_signal(first, signal.SIGCONT)
    link.release()
    deployment.await_empty("internal_report")

    assert _files(deployment) == {"small": 1, "large": 1}
    _assert_every_row_is_in_one_file(deployment, small=3)


def _start_and_hold_export(deployment: Deployment, link: Link) -> tuple[Daemon, Link]:
    """Start a daemon that has exported the small table and waits for S3 in the middle of the large one."""
    deployment.rows(TABLES, ROWS)
    link.proxy.hold_request = SECOND_PART
    daemon = deployment.start(AWS_ENDPOINT_URL=link.url, **EXPORTED_TABLES, **QUICK)
    deployment.send("internal_report", export_message(REQUEST))
    deployment.until(link.proxy.reached.is_set, expected=True)
    return daemon, link


def _assert_every_row_is_in_one_file(deployment: Deployment, *, small: int) -> None:
    assert _ids(deployment, "small") == Counter(range(1, small + 1))
    assert _ids(deployment, "large") == Counter(range(1, ROWS + 1))
    assert _unfinished_uploads(deployment) == 0
    assert deployment.left("internal_report" + DEAD_LETTER) == 0


def _keys(deployment: Deployment) -> list[str]:
    listed = deployment.s3.list_objects_v2(Bucket=deployment.buckets["export"])
    return [entry["Key"] for entry in listed.get("Contents", [])]


def _files(deployment: Deployment) -> Counter[str]:
    return Counter(key.partition("/")[0] for key in _keys(deployment))


def _unfinished_uploads(deployment: Deployment) -> int:
    listed = deployment.s3.list_multipart_uploads(Bucket=deployment.buckets["export"])
    return len(listed.get("Uploads", []))


def _ids(deployment: Deployment, table: str) -> Counter[int]:
    ids: Counter[int] = Counter()
    for key in _keys(deployment):
        if key.startswith(f"{table}/"):
            body = deployment.s3.get_object(Bucket=deployment.buckets["export"], Key=key)["Body"].read()
            ids.update(pq.read_table(BytesIO(body), columns=["id"]).column("id").to_pylist())
    return ids
