"""Moto's objects, their tags, and secrets as a file: moto itself keeps them in memory."""

import logging
import pickle
import time
from threading import Lock, Thread
from typing import NoReturn

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from orca_daemon.local.gate import RequestGate
from orca_daemon.local.moto import REGION
from orca_daemon.local.state_file import StateFile, pause

_PATIENCE = 2.0
"""Seconds that requests at work may take to leave; after them, it is tried again later."""
_log = logging.getLogger(__name__)


class MotoStateSaver:
    """Writes the state to its file: now and then while it changes, and on request.

    Args:
        file: read at once.
        gate: what the requests come through.

    Raises:
        StateFileError: the file cannot be read.
    """

    def __init__(self, file: StateFile, gate: RequestGate) -> None:
        file.read(thaw)
        self._file = file
        self._gate = gate
        self._saving = Lock()

    def start(self) -> None:
        """Begin to save now and then, beside the requests."""
        Thread(target=self._save_for_ever, daemon=True).start()

    def save(self, *, last: bool = False) -> None:
        """Write what has changed, in one piece; the `last` time without waiting for more than it must."""
        with self._saving:
            with self._gate.shut(_PATIENCE) as at_rest:
                if not self._gate.changed or not (at_rest or last):
                    return
                frozen = freeze()
                self._gate.changed = False
            self._file.write(frozen)

    def _save_for_ever(self) -> NoReturn:
        took = 0.0
        while True:
            time.sleep(pause(took))
            began = time.monotonic()
            try:
                self.save()
            except OSError as error:  # no room on the disk, for one: there may be later
                self._gate.changed = True
                _log.warning("S3 and secrets are not saved: %s", error)
            took = time.monotonic() - began


def freeze() -> bytes:
    """Everything; no request may be at work meanwhile."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    secrets = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets
    return pickle.dumps(
        (dict(backend.buckets), dict(s3_backends.bucket_accounts), backend.tagger, dict(secrets))
    )


def thaw(frozen: bytes) -> None:
    """Take up what an earlier process froze."""
    buckets, owners, tagger, secrets = pickle.loads(frozen)  # noqa: S301  our own file, in our own directory
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.buckets.update(buckets)
    backend.tagger = tagger
    # Without it, a bucket may be made a second time, in the place of the first.
    s3_backends.bucket_accounts.update(owners)
    secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets.update(secrets)
