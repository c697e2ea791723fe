"""The process that is S3, Secrets Manager and STS in local mode: moto, with our corrections in front.

`python -m orca_daemon.local.moto_server [PORT] [RESTORE_SECONDS]` binds loopback and prints its port.
"""

import logging
import sys


def main(port: int = 0, restore_seconds: float = 0.0) -> None:
    """Serve until killed.

    Args:
        port: 0 takes a free one.
        restore_seconds: how long a restore from an archive takes; 0 is at once.
    """
    from moto.moto_api import state_manager
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from orca_daemon.local.s3_corrections import Corrections

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    progression = {"progression": "time", "seconds": restore_seconds}
    state_manager.set_transition(
        "s3::keyrestore", progression if restore_seconds else {"progression": "immediate"}
    )
    server = make_server(
        "127.0.0.1",
        port,
        Corrections(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    print(server.server_port, flush=True)  # noqa: T201  the process that started this one reads it
    server.serve_forever()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]), *(float(argument) for argument in sys.argv[2:3]))
