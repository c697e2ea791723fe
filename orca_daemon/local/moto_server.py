"""The server process of S3, Secrets Manager and STS in local mode: moto behind our corrections.

`python -m orca_daemon.local.moto_server [PORT [RESTORE_SECONDS [STATE [DAY_SECONDS [SQS_URL]]]]]` listens on
loopback, prints its port, or why it does not start, and serves until SIGTERM.
"""

import logging
import signal
import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from orca_daemon.local.gate import RequestGate
from orca_daemon.local.moto_state import MotoStateSaver
from orca_daemon.local.ports import free_port
from orca_daemon.local.s3_corrections import Corrections
from orca_daemon.local.s3_restores import RestoreOptions, install
from orca_daemon.local.state_file import StateFile, StateFileError


class _Stop(BaseException):
    pass


def main(port: int = 0, restores: RestoreOptions = RestoreOptions(), state: Path | None = None) -> None:  # noqa: B008  frozen
    """Serve until SIGTERM.

    Args:
        port: the port if it is free, else any other; 0 for any.
        restores: how restores from an archive behave.
        state: file that objects and secrets are read from and saved to; None saves nothing.

    Raises:
        StateFileError: the file cannot be used.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    install(restores)
    gate = RequestGate(Corrections(DomainDispatcherApplication(create_backend_app)))
    saver = MotoStateSaver(StateFile(state), gate) if state else None
    server = make_server(
        "127.0.0.1", free_port(port), gate, threaded=True, request_handler=MotoRequestHandler
    )
    signal.signal(signal.SIGTERM, _stop)
    if saver:
        saver.start()
    print(server.server_port, flush=True)  # noqa: T201  the process that started this one reads it
    try:
        server.serve_forever()
    except _Stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if saver:
            saver.save(last=True)


def _stop(_number: int, _frame: object) -> None:
    raise _Stop


if __name__ == "__main__":
    _port, _seconds, _state, _day, _sqs = [*sys.argv[1:], *("0", "0", "", "86400", "")[len(sys.argv) - 1 :]]
    try:
        main(
            int(_port),
            RestoreOptions(seconds=float(_seconds), day=float(_day), sqs=_sqs),
            Path(_state) if _state else None,
        )
    except StateFileError as error:
        print(error)  # noqa: T201  as above
        sys.exit(78)
