"""The work directory fills during a comparison: it is done when there is room, and holds up nobody else."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import psycopg2
import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.wire.inventory import inventory_message
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import events
from tests.faults.workload import Workload, everything_is_accounted_for
from tests.reconcile.archive import Archive, Filed, Form, Listed
from tests.waiting import until

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
SMALL = 8 << 20
"""Bytes of the whole disk."""
FILES = 12
"""Files and folders that it has room for."""
MOUNT = f"mount -t tmpfs -o size={SMALL},nr_inodes={FILES + 1} tmpfs"
BECOME = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
FULL = "(reconcile.work_dir) is full"
MATRIX = pytest.mark.matrix
COMPARED = "SELECT status_id, error_message FROM orca.reconcile_job"
SUCCESS = 5


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a daemon that is started has a small disk, which nobody else sees."""
    made = tmp_path / "work"
    made.mkdir()
    mount = [*NAMESPACE, "sh", "-c", f'{MOUNT} {made} && exec "$0" "$@"']
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here, not even in a namespace")
    monkeypatch.setattr(Daemon, "program", ("-c", BECOME, *mount, sys.executable, *Daemon.program))
    yield made
    assert list(made.iterdir()) == []  # it was the daemon's alone


def few_orphans() -> list[Listed]:
    """What no compression makes small."""
    rng = Random(1)
    return [Listed(f"d/{rng.randbytes(40).hex()}", etag=rng.randbytes(16).hex()) for _ in range(4_000)]


def many_orphans() -> list[Listed]:
    """What becomes large when it is written out."""
    return [Listed(f"d/{number:0100}") for number in range(20_000)]


def leave(folder: Path, size: int) -> None:
    """Fill the disk up to so many bytes."""
    (folder / "filler").write_bytes(bytes(SMALL - size))


def leave_no_file(folder: Path, _: int) -> None:
    """Let one more folder be made, and nothing in it."""
    for number in range(FILES - 2):
        (folder / str(number)).touch()


@pytest.mark.parametrize(
    ("form", "listed", "fill"),
    [
        ("CSV", few_orphans, lambda folder, data: leave(folder, data // 2)),
        pytest.param("CSV", many_orphans, lambda folder, data: leave(folder, data + 100_000), marks=MATRIX),
        pytest.param("ORC", few_orphans, lambda folder, data: leave(folder, data + 20_000), marks=MATRIX),
        pytest.param("CSV", few_orphans, lambda folder, _: leave(folder, 0), marks=MATRIX),
        pytest.param("CSV", few_orphans, leave_no_file, marks=MATRIX),
    ],
    ids=["data-file", "differences", "conversion", "nothing-left", "no-file-left"],
)
def test_a_disk_that_fills_during_a_comparison_is_waited_for(
    deployment: Deployment,
    work: Workload,
    disk: Path,
    form: Form,
    listed: Callable[[], Sequence[Listed]],
    fill: Callable[[Path, int], None],
) -> None:
    daemon = deployment.start(
        ORCA_RECONCILE__WORK_DIR=str(disk),
        ORCA_LOG__LEVEL="debug",
        ORCA_QUEUES__INTERNAL_REPORT__MAX_ATTEMPTS="1",
    )
    folder = Path(f"/proc/{daemon.pid}/root{disk}")  # as the daemon sees it
    with closing(psycopg2.connect(deployment.database_url)) as connection:
        connection.autocommit = True
        archive = Archive(connection, deployment.s3, deployment.buckets["reports"])
        archive.catalog([Filed("lost")])
        rows = listed()
        pointer = archive.inventory(rows, form=form)
        filler = folder / "filler"
        filler.mkdir()
        fill(filler, data_size(deployment))
        deployment.send("internal_report", inventory_message(pointer))
        work.send(20)
        work.send_copies(5)
        until(lambda: waits(deployment), output=deployment.output)
        deployment.await_empty("status_update", "recovery")
        assert deployment.rows("SELECT count(*) FROM orca.reconcile_job WHERE end_time IS NOT NULL") == [(0,)]

        shutil.rmtree(filler)

        deployment.await_rows([(SUCCESS, None)], COMPARED)
        assert (archive.orphans(1), archive.phantoms(1)) == ({row.key for row in rows}, {"lost"})
    deployment.await_empty("internal_report")
    everything_is_accounted_for(work, daemon)
    until(lambda: list(folder.iterdir()) == [], output=lambda: str(list(folder.rglob("*"))))
    assert deployment.left(f"internal_report{DEAD_LETTER}") == 0
    assert events(deployment, "attempt.failed") == []


def data_size(deployment: Deployment) -> int:
    """Bytes of the one data file."""
    found = deployment.s3.list_objects_v2(Bucket=deployment.buckets["reports"])["Contents"]
    return max(entry["Size"] for entry in found)


def waits(deployment: Deployment) -> list[str]:
    """Why the inventory was put off, each time."""
    return [found["reason"] for found in events(deployment, "attempt.early") if FULL in found["reason"]]
