"""The demo of compose.yaml, with the settings that it has there, on a stack that runs already."""

import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from orca_daemon.local.daemon import Daemon
from orca_daemon.local.layout import BUCKETS
from orca_daemon.local.moto import REGION
from orca_daemon.local.stack import Stack
from tests.waiting import PATIENCE

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "compose.yaml").read_text("utf-8"))
NAMES_OF_BUCKETS = ("ORCA_DEFAULT_BUCKET", "ORCA_EXPORT__BUCKET", "ORCA_RESTORE__DESTINATIONS")


@pytest.mark.matrix
def test_the_demo_of_compose_fills_an_empty_stack_once(tmp_path: Path) -> None:
    with_names = {name: COMPOSE["services"]["demo"]["environment"][name] for name in NAMES_OF_BUCKETS}
    with ExitStack() as closing_stack:
        stack = Stack()
        there = stack.start()
        closing_stack.callback(stack.stop)
        with closing(boto3.client("s3", endpoint_url=there.aws_endpoint_url, region_name=REGION)) as s3:
            for role in BUCKETS:
                s3.create_bucket(
                    Bucket=f"orca-{role}", CreateBucketConfiguration={"LocationConstraint": REGION}
                )
        assert stack.daemon
        stack.daemon.stop()
        environment = {**there.environment, **with_names}
        del environment["ORCA_RESTORE__BUCKET"]
        stack.daemon = Daemon(environment, there.http_url, tmp_path / "log")
        stack.daemon.start()
        first, second = demo(environment), demo(environment)
    assert (first.returncode, "Every check passed" in first.stdout) == (0, True), first.stdout + first.stderr
    assert (second.returncode, second.stdout) == (
        0,
        "the catalog has files already: the demo leaves them alone\n",
    )


def demo(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    program: list[Any] = [sys.executable, *COMPOSE["services"]["demo"]["entrypoint"][1:]]
    return subprocess.run(
        program, env=environment, capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )
