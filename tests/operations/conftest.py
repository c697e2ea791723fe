"""Settings of operations, with the embedded SQS and S3."""

from collections.abc import Callable

import pytest

from orca_daemon.local.moto import REGION
from orca_daemon.settings import Settings, load

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(sqs_endpoint: str, aws_endpoint: str) -> MakeSettings:
    """Settings from the given environment variables, in addition to those of AWS."""

    def make(**environment: str) -> Settings:
        aws = {
            "AWS_REGION": REGION,
            "ORCA_AWS__ENDPOINT_URL": aws_endpoint,
            "ORCA_AWS__SQS_ENDPOINT_URL": sqs_endpoint,
        }
        return load(None, aws | environment, need_queue=False)

    return make
