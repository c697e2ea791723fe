"""`orca-daemon check`, against real queues, buckets and a real database."""

import errno
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from typer.testing import CliRunner

from orca_daemon.app.checkup import Grade, judge_settings
from orca_daemon.app.checkup.queues import DeadLetterFacts, judge_dead_letters, judge_facts
from orca_daemon.cli import app
from orca_daemon.engine.source import QueueFacts
from orca_daemon.local.moto import REGION
from orca_daemon.settings import load


@pytest.fixture
def queue_url(aws_endpoint: str) -> Iterator[str]:
    with closing(boto3.client("sqs", endpoint_url=aws_endpoint, region_name=REGION)) as sqs:
        name, fifo = uuid4().hex[:12], {"FifoQueue": "true"}
        dead = sqs.create_queue(QueueName=f"{name}-dead.fifo", Attributes=fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        made = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={**fifo, "RedrivePolicy": policy})
        yield made["QueueUrl"]


@pytest.fixture
def check(aws_endpoint: str, queue_url: str, database_url: str) -> Callable[..., tuple[int, Any]]:
    """Runs `check --json` with changed settings; returns its exit code and output."""

    def run(*arguments: str, **changes: str) -> tuple[int, Any]:
        environment = {
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": aws_endpoint,
            "STATUS_UPDATE_QUEUE_URL": queue_url,
            "DATABASE_URL": database_url,
            **changes,
        }
        result = CliRunner().invoke(app, ["check", *arguments, "--json"], env=environment)
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    return run


def test_a_corrected_setting_is_advice() -> None:
    settings = load(None, {"STATUS_UPDATE_QUEUE_URL": "http://h/1/q.fifo", "COPY_RETRIES": "0"})

    texts = [each.text for each in judge_settings(settings) if each.grade is Grade.ADVICE]
    assert texts == ["COPY_RETRIES is '0': copies.attempts is 1 (the least is 1)"]


def test_a_missing_temporary_directory_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in []")

    monkeypatch.setattr(tempfile, "gettempdir", missing)
    monkeypatch.setattr(tempfile, "_gettempdir", missing, raising=False)
    settings = load(
        None,
        {"INTERNAL_REPORT_QUEUE_URL": "http://h/1/q.fifo", "DATABASE_URL": "postgresql://h/d"},
    )
    (found,) = [each for each in judge_settings(settings) if each.grade is Grade.WRONG]
    assert found.subject == "work directory"
    assert found.do == "set reconcile.work_dir"


def wrong(report: Any) -> list[str]:
    return [each["subject"] for each in report["findings"] if each["grade"] == "wrong"]


def test_check_exits_0_if_everything_works_even_with_advice(
    check: Callable[..., tuple[int, Any]], bucket: Callable[[], str]
) -> None:
    code, report = check("--bucket", bucket(), ORCA_EXPORT__BUCKET=bucket())

    assert (code, report["works"], wrong(report)) == (0, True, [])
    texts = [each["text"] for each in report["findings"] if each["grade"] == "advice"]
    assert any("maxReceiveCount is 3" in text for text in texts)
    assert {"settings", "credentials", "queue status_update", "database"} <= {
        each["subject"] for each in report["findings"]
    }


def test_check_names_each_thing_that_will_not_work(check: Callable[..., tuple[int, Any]]) -> None:
    code, report = check(
        RECOVERY_QUEUE_URL="http://127.0.0.1:9/000000000000/nowhere",
        ORCA_EXPORT__BUCKET="there-is-no-such-bucket",
        ORCA_AWS__SQS_ENDPOINT_URL="http://127.0.0.1:9",
        DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing",
    )

    assert code == 1
    assert set(wrong(report)) == {
        "queue status_update",
        "queue recovery",
        "bucket there-is-no-such-bucket",
        "database",
    }


def test_check_advises_against_recoveries_of_any_bucket(
    check: Callable[..., tuple[int, Any]], queue_url: str
) -> None:
    dead = queue_url.replace(".fifo", "-dead.fifo")

    def advised(**changes: str) -> list[str]:
        code, report = check(RECOVERY_QUEUE_URL=dead, **changes)
        assert code == 0, report
        return [each["text"] for each in report["findings"] if "any bucket" in each["text"]]

    (output,) = advised()
    assert output.endswith("that this role may use: copies.sources and copies.targets not set")
    assert advised(ORCA_COPIES__SOURCES="archive")[0].endswith("use: copies.targets not set")
    assert advised(ORCA_COPIES__SOURCES="archive", ORCA_COPIES__TARGETS="public") == []


def test_check_reports_a_missing_queue(check: Callable[..., tuple[int, Any]], queue_url: str) -> None:
    code, report = check(STATUS_UPDATE_QUEUE_URL=queue_url.replace(".fifo", "-gone.fifo"))

    assert code == 1
    (found,) = [each for each in report["findings"] if each["grade"] == "wrong"]
    assert "does not exist" in found["text"]


def test_a_queue_of_another_region_is_wrong_and_another_host_is_advice(
    check: Callable[..., tuple[int, Any]], queue_url: str
) -> None:
    far = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    code, report = check(RECOVERY_QUEUE_URL=far)
    assert code == 1
    assert wrong(report) == ["queue recovery"]

    code, report = check(STATUS_UPDATE_QUEUE_URL=queue_url.replace("127.0.0.1", "localhost"))
    assert code == 0
    assert any("the host of the queue's URL" in each["text"] for each in report["findings"])


def test_check_reports_what_aws_refuses_with_a_remedy(
    check: Callable[..., tuple[int, Any]],
) -> None:
    code, report = check(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    found = {each["subject"]: each for each in report["findings"] if each["grade"] == "wrong"}
    assert code == 1
    assert "Cannot connect to host 127.0.0.1:9" in found["credentials"]["text"]
    assert found["queue status_update"]["do"] == "check the endpoint, the network and the proxy"


def test_check_names_a_missing_ca_bundle(check: Callable[..., tuple[int, Any]]) -> None:
    code, report = check(AWS_CA_BUNDLE="/no/such/ca.pem")
    [text] = [each["text"] for each in report["findings"] if each["grade"] == "wrong"]
    assert (code, "/no/such/ca.pem" in text) == (1, True)


def test_check_reads_a_status_queue_of_another_process(
    check: Callable[..., tuple[int, Any]], queue_url: str
) -> None:
    bound = {"STATUS_UPDATE_QUEUE_URL": "", "RECOVERY_QUEUE_URL": queue_url}
    there = queue_url.replace(".fifo", "-dead.fifo")

    assert check(**bound, ORCA_RECOVERY__STATUS_URL=there)[0] == 0
    code, report = check(**bound, ORCA_RECOVERY__STATUS_URL=there.replace("-dead", "-gone"))
    assert (code, wrong(report)) == (1, ["status queue"])


def test_a_database_without_the_schema_is_reported_with_the_command_that_creates_it(
    check: Callable[..., tuple[int, Any]], empty_database: str
) -> None:
    code, report = check(DATABASE_URL=empty_database)

    assert code == 1
    assert "run 'orca-daemon db upgrade'" in [each["do"] for each in report["findings"]]


def test_wrong_settings_exit_78_before_any_request(check: Callable[..., tuple[int, Any]]) -> None:
    code, output = check(ORCA_ENGINE__LEASE="soon")

    assert code == 78
    assert "engine.lease" in output


def test_an_invalid_endpoint_is_wrong(check: Callable[..., tuple[int, Any]]) -> None:
    code, report = check(AWS_ENDPOINT_URL="localhost:4566")

    assert (code, wrong(report)) == (1, ["credentials"])


FIFO = QueueFacts(fifo=True, visibility=900, dead_letter="d", max_receives=10, retention=777_600)
STANDARD = QueueFacts(fifo=False, visibility=900, dead_letter="d", max_receives=10, retention=777_600)
DEAD = DeadLetterFacts(fifo=True, retention=1_209_600, count=0)


@pytest.mark.parametrize(
    ("facts", "dead", "output"),
    [
        (FIFO, DEAD, []),
        (FIFO, DeadLetterFacts(fifo=False, retention=1_209_600, count=0), ["of the other type"]),
        (replace(FIFO, dead_letter=None), DEAD, ["no dead-letter queue"]),
        (
            replace(FIFO, largest=262_144, dead_letter_largest=1024),
            DEAD,
            ["messages of 262144 bytes and its dead-letter queue of 1024"],
        ),
        (replace(FIFO, largest=262_144, dead_letter_largest=1_048_576), DEAD, []),
        (FIFO, DeadLetterFacts(fifo=True, retention=1_209_600, count=4), ["about 4 dead letters"]),
        (FIFO, DeadLetterFacts(fifo=True, retention=1_209_600, count=1), ["about 1 dead letter"]),
        (
            STANDARD,
            DeadLetterFacts(fifo=False, retention=345_600, count=0),
            ["keeps no order", "counts their age from the first send"],
        ),
    ],
)
def test_a_queue_is_judged_by_its_attributes(
    facts: QueueFacts, dead: DeadLetterFacts, output: list[str]
) -> None:
    found = [*judge_facts("q", "status_update", facts), *judge_dead_letters("q", facts, dead)]
    texts = [each.text for each in found if each.grade is not Grade.OK]

    assert len(texts) == len(output)
    assert all(part in text for part, text in zip(output, texts, strict=True))
