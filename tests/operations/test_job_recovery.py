"""Recovering files of a job as an action, on a real Postgres and SQS: recorded, and resumed."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.db.jobs import File, files
from orca_daemon.operations import job_recovery
from orca_daemon.operations.job_recovery import recover_files
from orca_daemon.operations.recorded import AlreadyDoneError, Request, UnderWayError
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import connection, insert_recovery
from tests.conftest import QueuePair
from tests.operations.conftest import MakeSettings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

__all__ = ["connection"]


class KilledError(Exception):
    """Stands for a process that is killed at this point."""


async def test_a_recovery_that_was_cut_short_goes_on_behind_what_was_requested(
    connection: Connection,
    database_url: str,
    make_settings: MakeSettings,
    sqs: "SQSClient",
    queues: Callable[..., QueuePair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    insert_recovery(connection, "j", *[RecoveryStatus.FAILED] * 25, archive="archive")
    url, settings = queues().url, make_settings(DATABASE_URL=database_url)
    wanted = read(database_url)
    request = Request(uuid4(), "ada@tests")
    post, calls = job_recovery._post, list[int]()

    def killed(messages: Sequence[Outgoing], queue_url: str, client: Any) -> Any:
        calls.append(len(messages))
        if len(calls) == 2:
            raise KilledError
        return post(messages, queue_url, client)

    with monkeypatch.context() as patch:
        patch.setattr(job_recovery, "_post", killed)
        with pytest.raises(KilledError):
            await recover_files(settings, "j", wanted, url, request=request)
    with pytest.raises(UnderWayError):
        await recover_files(settings, "j", wanted, url, request=request)
    connection.execute(text("UPDATE orca.orca_daemon_action SET seen_at = seen_at - interval '1 minute'"))

    results = await recover_files(settings, "j", wanted, url, request=request)
    with pytest.raises(AlreadyDoneError, match="25 done"):
        await recover_files(settings, "j", wanted, url, request=request)

    assert len(results) == 15
    assert sorted(requested(sqs, url)) == sorted(file.filename for file in wanted)
    row = connection.execute(text("SELECT what, filter, wanted, result FROM orca.orca_daemon_action")).one()
    assert (row.what, row.filter, row.wanted) == ("recover", {"job_id": "j"}, 25)
    assert row.result == {"posted": 25, "failed": 0}


def read(url: str) -> list[File]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as transaction:
        found = files(transaction, "j")
    engine.dispose()
    return found


def requested(sqs: "SQSClient", url: str) -> list[str]:
    names: list[str] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        names += [json.loads(message["Body"])["filename"] for message in received]
    return names
