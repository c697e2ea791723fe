"""Starts a Spark Connect server and runs the tests that need one: `./dev spark` in `.venv-spark`."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOME = Path(sys.prefix) / "server" / "pyspark"
SECONDS = 120


def main() -> int:
    """Start the server, run the tests, stop the server; the exit code is that of the tests."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="orca-spark-") as folder, Path(folder, "log").open("wb") as log:
        server = subprocess.Popen(
            _command(port),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | {"SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1"},
        )
        try:
            if not _listens(port, server):
                sys.stderr.write(Path(folder, "log").read_text("utf-8", "replace")[-4000:])
                return 1
            tests = [sys.executable, "-m", "pytest", "tests/reconcile/test_spark.py", "-m", "outside", "-s"]
            remote = {"ORCA_TEST_SPARK": f"sc://127.0.0.1:{port}"}
            return subprocess.run([*tests, *sys.argv[1:]], check=False, env=os.environ | remote).returncode
        finally:
            server.terminate()
            server.wait()


def _command(port: int) -> list[str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "8",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    return [
        str(HOME / "bin" / "spark-submit"),
        *("--master", "local[2]", "--driver-memory", "3g"),
        *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
    ]


def _listens(port: int, server: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.2)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
