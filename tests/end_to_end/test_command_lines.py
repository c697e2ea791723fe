"""Every command line in the documents and in `--help` parses, and works on the embedded stack if it can."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.local.stack import daemon_environment
from orca_daemon.wire.outgoing import Outgoing
from tests.command_lines import CommandLine, documented, filled, problem
from tests.deploy.commands import ROOT
from tests.end_to_end.conftest import Deployment
from tests.queues.catalog import messages as catalog

LINES = documented()
RUN = frozenset(
    {
        *("check", "config", "copy", "db status", "db upgrade", "dlq list", "dlq redrive", "dlq show"),
        *("pause", "resume", "status"),
        *("export", "job", "jobs", "policy", "reconcile", "recover", "report", "reports", "run"),
        *("send copy", "send export", "send file-status", "send inventory", "send new-job"),
    }
)
"""Commands whose lines are run, unless `ONLY_PARSED` has a reason not to; lines of all others are parsed."""
ONLY_PARSED: Mapping[str, str] = {
    r"--help$": "tests/cli/test_help.py runs it for every command",
    r"^run\b(?!.*--print-config)": "it works until it is stopped",
    r"--watch": "it shows the same again and again",
    r" --file ": "it reads a file of the reader's",
    r"…": "an address in it is left open",
    r"\bgranule_notices\b": "its queue is added by the example, which tests/app/test_extend.py runs",
}
"""Command lines that are not run, as regular expressions, and the reasons."""
VALUES = {"QUEUE": "recovery", "TABLE": "recovery_job"}
"""What a word in capitals stands for on the stack; other ids and buckets do not exist there."""
DONE = {0, 1}
"""Exit codes of a command that was used rightly; 1 if it does not find what the document made up."""


@pytest.fixture
def stack(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A deployment that the environment names, with somebody at a terminal who answers yes."""
    addresses = daemon_environment(
        deployment.database_url, "http://127.0.0.1:0", deployment.queues, deployment.buckets
    )
    for name, value in (deployment.environment | addresses).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("orca_daemon.cli.confirm.is_terminal", lambda: True)
    # Short polls: our SQS, unlike AWS's, finds every message with one.
    monkeypatch.setattr("orca_daemon.aws.dead_letter_queue.WAIT", 0.0)
    # The settings files that command lines name; `orca-daemon config` makes one.
    (tmp_path / "config").mkdir()
    for name in ("orca-daemon.toml", "config/orca-daemon.toml"):
        shutil.copy(ROOT / "config" / "orca-daemon.toml", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return deployment


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, input="y\n" * 9)


def is_run(line: CommandLine) -> bool:
    text = str(line)
    command = any(text == name or text.startswith(f"{name} ") for name in RUN)
    return command and not any(re.search(pattern, text) for pattern in ONLY_PARSED)


def test_every_command_line_is_understood() -> None:
    assert [f"{line.place}: {line}: {found}" for line in LINES if (found := problem(line))] == []


def test_every_reason_not_to_run_a_line_is_needed() -> None:
    texts = [str(line) for line in LINES]

    assert [each for each in ONLY_PARSED if not any(re.search(each, text) for text in texts)] == []


def test_the_lines_of_the_documents_are_found() -> None:
    """The places and forms in which they stand, so that the search does not miss them unnoticed."""
    texts = {str(line) for line in LINES}

    assert {
        "check",  # README: a block without a language, with a comment
        "dlq list granule_notices",  # extend.md: broken in the middle
        "dlq redrive recovery --reason 'does not exist' --rate 5",  # operate.md: a block, with a comment
        "export TABLE --full",  # exports.md: in a table
        "report 4711 --kind phantom --limit 0 --csv",  # --help: with a redirection
        "local --state DIR",  # README: after ./dev run
        "run --log-format console",  # --help: after variables
        "send file-status --file -",  # --help: with input
    } <= texts


def test_command_lines_work_on_the_embedded_stack(stack: Deployment) -> None:
    failures = []
    for line in filter(is_run, LINES):
        result = run(*filled(line, VALUES))
        ended = result.exception is None or isinstance(result.exception, SystemExit)
        if not ended or result.exit_code not in DONE:
            failures.append(f"{line.place}: {line}: {result.exit_code} {result.exception!r} {result.stderr}")

    assert failures == []


def test_reasons_in_the_documents_are_those_that_the_daemon_writes(stack: Deployment) -> None:
    body = json.dumps(
        {
            "jobId": "j",
            "collectionId": "c",
            "granuleId": "g",
            "filename": "f",
            "targetKey": "d/f",
            "restoreDestination": stack.buckets["public"],
            "s3MultipartChunksizeMb": None,
            "sourceKey": "d/f",
            "sourceBucket": stack.buckets["archive"],
        }
    )
    archived = catalog.body(catalog.file(storageClass="UNKNOWN_TO_ORCA"))
    stack.send("recovery", Outgoing(body=body))
    stack.send("catalog", Outgoing(body=json.dumps(archived), group="g"))
    stack.start()
    stack.until(lambda: [len(letters("dlq", "list", queue)) for queue in ("recovery", "catalog")], [1, 1])

    by_reason = [line for line in LINES if {"dlq", "--reason"} <= {*line.arguments}]
    lines = [filled(line, VALUES) for line in by_reason]

    assert {arguments[1] for arguments in lines} == {"list", "redrive", "delete"}
    assert [arguments for arguments in lines if not letters(*arguments)] == []


def letters(*arguments: str) -> list[object]:
    """The dead letters that a command lists or, in a dry run, would send back or delete."""
    acts = "redrive" in arguments or "delete" in arguments
    more = ["--dry-run"] if acts and "--dry-run" not in arguments else []
    result = run(*arguments, *more, *([] if "--json" in arguments else ["--json"]))
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    keys = {"redrive": "would_move", "delete": "would_be_deleted", "list": "letters"}
    found: list[object] = document[keys[arguments[1]]]
    return found
