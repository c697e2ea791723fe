"""Saves moto's objects, their tags and its secrets to a file, because moto keeps them only in memory."""

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
"""Seconds to wait for requests in progress; if they take longer, saving is tried again later."""
_log = logging.getLogger(__name__)


class MotoStateSaver:
    """Writes the state to its file: at intervals if it has changed, and on request.

    Args:
        file: its content is loaded at once.
        gate: all requests pass it.

    Raises:
        StateFileError: the file cannot be read.
    """

    def __init__(self, file: StateFile, gate: RequestGate) -> None:
        file.read(thaw)
        self._file = file
        self._gate = gate
        self._saving = Lock()

    def start(self) -> None:
        """Start a thread that saves at intervals."""
        Thread(target=self._save_for_ever, daemon=True).start()

    def save(self, *, last: bool = False) -> None:
        """Write the state if it has changed; `last` writes it even if requests are still in progress."""
        with self._saving:
            with self._gate.shut(_PATIENCE) as all_done:
                if not self._gate.changed or not (all_done or last):
                    return
                frozen = freeze()
                self._gate.changed = False
            self._file.write(frozen)

    def _save_for_ever(self) -> NoReturn:
        seconds = 0.0
        while True:
            time.sleep(pause(seconds))
            began = time.monotonic()
            try:
                self.save()
            except OSError as error:  # such as a full disk, which may pass
                self._gate.changed = True
                _log.warning("S3 and secrets are not saved: %s", error)
            seconds = time.monotonic() - began


def freeze() -> bytes:
    """The state as bytes; call it while no request is in progress."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    secrets = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets
    return pickle.dumps(
        (dict(backend.buckets), dict(s3_backends.bucket_accounts), backend.tagger, dict(secrets))
    )


def thaw(frozen: bytes) -> None:
    """Load the state that an earlier process saved."""
    buckets, owners, tagger, secrets = pickle.loads(frozen)  # noqa: S301  our own file, in our own directory
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.buckets.update(buckets)
    backend.tagger = tagger
    # Without the owners, CreateBucket would replace a bucket that exists.
    s3_backends.bucket_accounts.update(owners)
    secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets.update(secrets)
