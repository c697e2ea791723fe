"""Moto's objects, their tags, and secrets as one file: moto itself keeps them in memory."""

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
        buckets, owners, tagger, secrets = pickle.load(file)  # noqa: S301  our own file, in our own directory
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        backend.buckets.update(buckets)
        backend.tagger = tagger
        # Without it, a bucket may be made a second time, in the place of the first.
        s3_backends.bucket_accounts.update(owners)
        secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets.update(secrets)


def write(path: Path) -> None:
    """Write everything, or nothing."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    secrets = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets
    making = path.with_suffix(".making")
    with making.open("wb") as file:
        pickle.dump(
            (dict(backend.buckets), dict(s3_backends.bucket_accounts), backend.tagger, dict(secrets)), file
        )
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
