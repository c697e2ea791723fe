"""The daemon as a process of its own, stopped or killed in the middle of a copy."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.local.moto import REGION
from tests.aws.s3copy.faulty import Fault, Faulty, part
from tests.queues.recovery.daemon import SECONDS
from tests.queues.recovery.test_daemon import Queues, Status, queues, statuses
from tests.queues.recovery.test_requests import request

__all__ = ["queues"]
MakeBucket = Callable[[], str]
BODY = bytes(range(256)) * (17 * 1024**2 // 256)
CLEAN, OUT_OF_TIME = 0, 75
LEASE = 6


@pytest.fixture
def environment(queues: Queues, status_queue: Status, aws_endpoint: str, faulty: Faulty) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_REGION": REGION,
        "ORCA_AWS__ENDPOINT_URL": faulty.url,
        "ORCA_AWS__SQS_ENDPOINT_URL": aws_endpoint,
        "RECOVERY_QUEUE_URL": queues.url,
        "ORCA_RECOVERY__STATUS_URL": status_queue[0],
        "ORCA_RECOVERY__UNKNOWN_KEYS": "route",
        "ORCA_RECOVERY__PROTECTED_BUCKET": "nobody",
        "ORCA_COPIES__THRESHOLD_MIB": "5",
        "DEFAULT_MULTIPART_CHUNKSIZE_MB": "5",
        "ORCA_COPIES__ABANDONED_AFTER": "0.001",
        "ORCA_ENGINE__WAIT": "1",
        "ORCA_ENGINE__LEASE": str(LEASE),
        "ORCA_ENGINE__DRAIN_SECONDS": "0.1",
        "ORCA_HTTP__PORT": "0",
    }


async def start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orca_daemon", "run", env=environment, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.slow
async def test_ctrl_c_on_a_copy_by_hand_leaves_no_upload(
    s3: S3Client, bucket: MakeBucket, environment: dict[str, str], faulty: Faulty
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=BODY)
    hung = faulty.fail(Fault(part(3), hold=asyncio.Event(), times=1))
    places = f"s3://{here}/d/g.h5", f"s3://{there}/d/g.h5"
    async with asyncio.timeout(SECONDS):
        copying = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orca_daemon",
            "copy",
            *places,
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        await hung.reached.wait()
        copying.send_signal(signal.SIGINT)
        _, output = await copying.communicate()
    assert (copying.returncode, output) == (130, b"orca-daemon: interrupted\n")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=there)


async def line_with(process: asyncio.subprocess.Process, text: str) -> None:
    """Read its log until a line contains this text."""
    assert process.stdout
    async for line in process.stdout:
        if text in line.decode():
            return
    raise AssertionError(f"the daemon ended without a line about {text}")


@pytest.mark.slow
@pytest.mark.parametrize("sent_signal", [signal.SIGTERM, signal.SIGKILL])
async def test_a_copy_that_was_killed_is_repeated_and_leaves_no_partial_object(
    s3: S3Client,
    bucket: MakeBucket,
    queues: Queues,
    environment: dict[str, str],
    status_queue: Status,
    faulty: Faulty,
    sent_signal: signal.Signals,
) -> None:
    here, there = bucket(), bucket()
    s3.put_object(Bucket=here, Key="d/g.h5", Body=BODY)
    hung = faulty.fail(Fault(part(3), hold=asyncio.Event(), times=1))
    async with asyncio.timeout(SECONDS):
        first = await start(environment)
        queues.send(request(here, there))
        await hung.reached.wait()
        first.send_signal(sent_signal)
        await first.communicate()
        assert "Contents" not in s3.list_objects_v2(Bucket=there)
        left = len(s3.list_multipart_uploads(Bucket=there).get("Uploads", []))
        assert left == (1 if sent_signal is signal.SIGKILL else 0)
        second = await start(environment)
        await line_with(second, '"verified_by"')
        second.send_signal(signal.SIGTERM)
        await second.communicate()
    assert first.returncode == (-signal.SIGKILL if sent_signal is signal.SIGKILL else OUT_OF_TIME)
    assert second.returncode == CLEAN
    assert s3.get_object(Bucket=there, Key="d/g.h5")["Body"].read() == BODY
    assert statuses(status_queue) == [4]
