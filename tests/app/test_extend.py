"""The worked example of docs/extend.md, extracted from the page and run by a daemon."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from orca_daemon.local.moto import CREDENTIALS, REGION
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extend.md").read_text("utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with the code of the page added."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (line,) = re.findall(r"^\+(.*\n)", PAGE, re.MULTILINE)
    shutil.copytree(ROOT / "orca_daemon", tmp_path / "orca_daemon")
    queues = tmp_path / "orca_daemon/queues"
    (queues / "granule_notices.py").write_text(code, "utf-8")
    listing = (queues / "__init__.py").read_text("utf-8")
    listing = listing.replace(
        "from orca_daemon.queues import ", "from orca_daemon.queues import granule_notices, "
    )
    listing = listing.replace("    ]\n", f"{line}    ]\n")
    (queues / "__init__.py").write_text(listing, "utf-8")
    return tmp_path


def test_the_example_of_the_page_works(
    copy: Path,
    s3: "S3Client",
    sqs: "SQSClient",
    bucket: Callable[[], str],
    aws_endpoint: str,
    sqs_endpoint: str,
) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    kept, queue = bucket(), sqs.create_queue(QueueName=f"notices-{uuid4().hex}")["QueueUrl"]
    settings = re.sub(r'url = ".*"', f'url = "{queue}"', block)
    (copy / "settings.toml").write_text(settings, "utf-8")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"granuleId": "G1", "text": "cloudy"}))
    environment = {
        **os.environ,
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": aws_endpoint,
        "ORCA_AWS__SQS_ENDPOINT_URL": sqs_endpoint,
        "ORCA_EXPORT__BUCKET": kept,
        "ORCA_ENGINE__WAIT": "1",
        "ORCA_HTTP__PORT": "0",
    }
    with (copy / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "orca_daemon", "run", "--config", "settings.toml"],
            cwd=copy,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: daemon.poll() is not None or s3.list_objects_v2(Bucket=kept).get("KeyCount"))
        finally:
            daemon.terminate()
            code = daemon.wait(PATIENCE)

    assert code == 0, (copy / "log").read_text("utf-8")
    assert s3.get_object(Bucket=kept, Key="notices/G1.txt")["Body"].read() == b"cloudy"
    assert '"granule_id": "G1"' in (copy / "log").read_text("utf-8")
