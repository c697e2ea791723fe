"""The work directory fills during a comparison: it finishes once there is space, other work continues."""

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
DISK_SIZE = 8 << 20
"""Bytes of the whole file system."""
MAX_FILES = 12
"""Files and directories that the file system can hold."""
MOUNT = f"mount -t tmpfs -o size={DISK_SIZE},nr_inodes={MAX_FILES + 1} tmpfs"
EXEC = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
FULL = "(reconcile.work_dir) is full"
MATRIX = pytest.mark.matrix
COMPARED = "SELECT status_id, error_message FROM orca.reconcile_job"
SUCCESS = 5


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory where daemons, and only they, have a small tmpfs, mounted in a namespace of their own."""
    folder = tmp_path / "work"
    folder.mkdir()
    mount = [*NAMESPACE, "sh", "-c", f'{MOUNT} {folder} && exec "$0" "$@"']
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this environment does not permit mounts, not even in a user namespace")
    monkeypatch.setattr(Daemon, "program", ("-c", EXEC, *mount, sys.executable, *Daemon.program))
    yield folder
    assert list(folder.iterdir()) == []  # the daemon really used the tmpfs, not this directory


def few_orphans() -> list[Listed]:
    """Rows of random bytes: the data file is large, because they do not compress."""
    rng = Random(1)
    return [Listed(f"d/{rng.randbytes(40).hex()}", etag=rng.randbytes(16).hex()) for _ in range(4_000)]


def many_orphans() -> list[Listed]:
    """Repetitive rows: the data file is small, but the list of differences is large."""
    return [Listed(f"d/{number:0100}") for number in range(20_000)]


def leave(folder: Path, size: int) -> None:
    """Fill the disk except for `size` bytes."""
    (folder / "filler").write_bytes(bytes(DISK_SIZE - size))


def leave_no_file(folder: Path, _: int) -> None:
    """Leave inodes for one more directory, but not for a file in it."""
    for number in range(MAX_FILES - 2):
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
def test_a_comparison_waits_while_the_work_directory_is_full(
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
    folder = Path(f"/proc/{daemon.pid}/root{disk}")  # the daemon's mount namespace
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
        until(lambda: disk_full_reasons(deployment), output=deployment.output)
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
    """Bytes of the inventory's data file, the largest object of the bucket."""
    objects = deployment.s3.list_objects_v2(Bucket=deployment.buckets["reports"])["Contents"]
    return max(each["Size"] for each in objects)


def disk_full_reasons(deployment: Deployment) -> list[str]:
    """The reason of each attempt that ended early because the work directory was full."""
    return [each["reason"] for each in events(deployment, "attempt.early") if FULL in each["reason"]]
