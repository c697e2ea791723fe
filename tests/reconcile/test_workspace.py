"""The folder of a comparison, in a directory where other users may create entries named like ours."""

import asyncio
import errno
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orca_daemon.engine.errors import NotYet
from orca_daemon.reconcile import workspace
from orca_daemon.reconcile.process import ComparisonFailedError, Dialogue, environment
from orca_daemon.reconcile.protocol import ComparisonFailure, FailureKind
from orca_daemon.reconcile.run import Reconciler
from tests.reconcile.archive import Archive, Listed


async def test_foreign_entries_named_like_our_folders_are_neither_followed_nor_waited_for(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    base = tmp_path / "shared"
    base.mkdir()
    os.mkfifo(base / "orca-reconcile-pipe")
    (base / "orca-reconcile-file").touch()
    (base / "orca-reconcile-link").symlink_to(victim)
    (base / "orca-reconcile-loop").symlink_to("orca-reconcile-loop")
    ours = base / "orca-reconcile-left"
    ours.mkdir()

    async with asyncio.timeout(10), workspace.workspace(base) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        left = {path.name for path in base.iterdir()} - {folder.name}

    assert left == {f"orca-reconcile-{name}" for name in ("pipe", "file", "link", "loop")}
    assert (victim / "precious").exists()


async def test_a_folder_of_another_user_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path / "orca-reconcile-others"
    others.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: others.stat().st_uid + 1)

    async with workspace.workspace(tmp_path):
        pass

    assert others.exists()


async def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    async with workspace.workspace(tmp_path) as one, workspace.workspace(tmp_path):
        assert one.exists()


@pytest.mark.parametrize(
    ("age", "kind"),
    [(timedelta(minutes=1), NotYet), (timedelta(hours=13), ComparisonFailedError)],
    ids=["young", "old"],
)
async def test_a_message_waits_for_a_full_disk_and_the_reason_names_it(
    archive: Archive,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    age: timedelta,
    kind: type[Exception],
) -> None:
    def full(_: Path) -> tuple[Path, int]:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "orca-reconcile-x"))

    monkeypatch.setattr(workspace, "_create", full)

    with pytest.raises(kind, match=r"reconcile\.work_dir\): No space left on device, [\d,]+ MiB are free"):
        await reconciler.inventory(archive.inventory([Listed("a")]), sent=datetime.now(UTC) - age)


async def test_a_message_waits_for_a_disk_that_fills_in_the_child(
    archive: Archive, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until(dialogue: Dialogue, _: object) -> None:
        raise dialogue._exception(
            ComparisonFailure(kind=FailureKind.DISK_FULL, reason="the disk of /x is full")
        )

    monkeypatch.setattr(Dialogue, "until", until)

    with pytest.raises(NotYet, match="the disk of /x is full"):
        await reconciler.inventory(archive.inventory([Listed("a")]), sent=datetime.now(UTC))
    with pytest.raises(ComparisonFailedError, match="the disk of /x is full"):
        await reconciler.inventory(archive.inventory([Listed("a")]))


async def test_a_directory_that_cannot_be_written_is_named(archive: Archive, reconciler: Reconciler) -> None:
    ours = reconciler._settings.reconcile.model_copy(update={"work_dir": Path("/dev/null/x")})
    nowhere = Reconciler(
        reconciler._settings.model_copy(update={"reconcile": ours}), reconciler._database, reconciler._s3
    )

    with pytest.raises(ComparisonFailedError, match=r"/dev/null.*\(reconcile\.work_dir\)"):
        await nowhere.inventory(archive.inventory([Listed("a")]), sent=datetime.now(UTC))


def test_the_child_is_given_no_secrets() -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x",
        "DATABASE_URL": "x",
        "DATABASE_PASSWORD": "x",
        "ORCA_DATABASE__URL": "x",
        "PGPASSWORD": "x",
        "SOME_TOKEN": "x",
    }
    needed = {"PATH": "p", "LC_ALL": "C", "PYTHONPATH": "y", "PGSSLROOTCERT": "r", "HTTPS_PROXY": "h"}
    malloc = environment({})

    assert environment(secrets | needed) == needed | malloc
    assert all(name.startswith("MALLOC_") for name in malloc)


def test_options_of_malloc_are_the_operators_if_there_are_any() -> None:
    assert environment({"MALLOC_ARENA_MAX": "7"})["MALLOC_ARENA_MAX"] == "7"


async def test_the_command_line_and_environment_of_the_child_have_no_secrets(
    archive: Archive, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    environments: list[bytes] = []

    def record_environment(message: object) -> None:
        environ = Path(f"/proc/{getattr(message, 'pid', 'none')}/environ")
        if environ.exists():
            environments.append(environ.read_bytes())

    await reconciler.inventory(archive.inventory([Listed("a")]), on_message=record_environment)

    assert not any(b"hunter2" in environ for environ in environments)


async def test_a_folder_that_another_comparison_swept_before_it_was_opened_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create = tempfile.mkdtemp

    def swept_at_first(**options: Any) -> str:
        folder = str(create(**options))
        if not made:
            Path(folder).rmdir()
        made.append(folder)
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_first)

    async with workspace.workspace(tmp_path) as folder:
        assert str(folder) == made[1]
        assert folder.is_dir()
