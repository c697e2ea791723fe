"""The state file of a server: it is read whole or refused, and locked by one process."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from orca_daemon.local.state_file import EVERY, StateFile, StateFileError, pause


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_what_was_written_is_read(path: Path) -> None:
    read: list[bytes] = []
    with closing(StateFile(path)) as file:
        file.read(read.append)
        for content in (b"long ago", b"now"):
            file.write(content)
            file.read(read.append)
    assert read == [b"long ago", b"now"]


def test_a_file_that_cannot_be_loaded_is_named_with_a_remedy(path: Path) -> None:
    path.write_text("torn")
    with (
        closing(StateFile(path)) as file,
        pytest.raises(StateFileError, match=f"{path} .*JSONDecodeError.* move it away"),
    ):
        file.read(json.loads)


def test_a_file_locked_by_another_process_is_refused_after_a_time(path: Path) -> None:
    with (
        closing(StateFile(path)),
        pytest.raises(StateFileError, match=f"another process still uses {path}"),
    ):
        StateFile(path, patience=0)
    StateFile(path, patience=0).close()


def test_saving_takes_a_twentieth_of_the_time_at_the_most() -> None:
    assert [pause(took) for took in (0, 0.1, 1, 60)] == [EVERY, EVERY, 20, 1200]
