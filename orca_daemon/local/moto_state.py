"""Moto's objects and secrets as one file: moto itself keeps them in memory."""

import os
import pickle
from contextlib import suppress
from pathlib import Path

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from orca_daemon.local.moto import REGION


def read(path: Path) -> None:
    """Take up what an earlier process wrote, if one did."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        buckets, secrets = pickle.load(file)  # noqa: S301  our own file, in our own directory
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.update(buckets)
        secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets.update(secrets)


def write(path: Path) -> None:
    """Write every object and secret, all or nothing."""
    buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
    secrets = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets
    making = path.with_suffix(".making")
    with making.open("wb") as file:
        pickle.dump((dict(buckets), dict(secrets)), file)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
