"""The state directory: what is read from the files of the last run, complete or damaged."""

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from orca_daemon.local.state import StateDirectory, Whereabouts

HERE = Whereabouts(
    aws_endpoint_url="http://127.0.0.1:1001",
    sqs_endpoint_url="http://127.0.0.1:1002",
    database_url="postgresql://postgres@127.0.0.1:1003/orca",
    http_url="http://127.0.0.1:1004",
    queues={},
    buckets={},
    environment={},
)


def test_a_stack_comes_back_at_the_same_ports(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path)) as directory:
        directory.publish(HERE)
    assert not (tmp_path / "stack.json").exists()
    with closing(StateDirectory(tmp_path)) as again:
        assert [again.port(key) for key in ("aws_endpoint_url", "database_url")] == [1001, 1003]


def test_the_stack_file_of_a_killed_stack_is_removed(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(asdict(HERE)))
    with closing(StateDirectory(tmp_path)) as directory:
        assert not (tmp_path / "stack.json").exists()
        assert directory.port("http_url") == 1004


@pytest.mark.parametrize("nonsense", ["", "[1]", "null", json.dumps({"http_url": "http://h:port"}), "\0"])
def test_new_ports_are_chosen_if_old_ones_cannot_be_read(tmp_path: Path, nonsense: str) -> None:
    (tmp_path / ".last.json").write_text(nonsense)
    with closing(StateDirectory(tmp_path)) as directory:
        assert directory.port("http_url") == 0
