"""Installs LocalStack into a virtual environment of its own and runs it without a container."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from orca_daemon.local.ports import free_port

VERSION = "2026.3.0"
UNTIL = "2026-03-28T00:00:00Z"
"""uv's --exclude-newer: later releases of its dependencies break it, with a misleading error message."""
PYTHON = os.environ.get("LOCALSTACK_PYTHON", "3.13")
"""It does not run on 3.11, although its metadata says so."""
PATIENCE = 120.0
_ROOT = Path(__file__).parents[2]


class LocalStack:
    """LocalStack's SQS on loopback; it runs during the `with` block."""

    def __init__(self) -> None:
        self._home = _ROOT / ".venv" / "localstack"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        python = self._install()
        port = free_port()
        environment = {
            **os.environ,
            "SERVICES": "sqs",
            "EAGER_SERVICE_LOADING": "1",
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "GATEWAY_SERVER": "hypercorn",  # the default one listens on all addresses
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "OVERRIDE_IN_DOCKER": "0",
            "FILESYSTEM_ROOT": str(self._home / "fs"),
        }
        log = (self._home / "log").open("wb")
        self._process = subprocess.Popen(
            [python, "-m", "localstack.runtime.main"], env=environment, stdout=log, stderr=log
        )
        log.close()
        self.url = f"http://127.0.0.1:{port}"
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _install(self) -> str:
        python = self._home / "bin" / "python"
        stamp = self._home / VERSION
        if not stamp.exists():
            uv = shutil.which("uv")
            if uv is None:
                sys.exit("uv is not on PATH; it is needed to install LocalStack")
            subprocess.run([uv, "venv", "-q", "--clear", "-p", PYTHON, self._home], check=True)
            requirement = ["--exclude-newer", UNTIL, f"localstack-core[runtime]=={VERSION}"]
            subprocess.run([uv, "pip", "install", "-q", "-p", python, *requirement], check=True)
            stamp.touch()
        return str(python)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                health = f"{self.url}/_localstack/health"
                with urllib.request.urlopen(health, timeout=1):  # noqa: S310  our own URL
                    return
            except (urllib.error.URLError, OSError) as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                time.sleep(0.2)
        sys.exit(f"LocalStack did not start; see {self._home / 'log'}")
