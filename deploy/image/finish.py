"""Installs the daemon into the image's environment, and removes library files that it never opens."""

import compileall
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

SITE = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
SERVICES = frozenset({"s3", "sqs", "secretsmanager", "ssm", "sts", "sso", "sso-oidc", "signin"})
"""API descriptions that botocore needs: our five services, and those that issue credentials."""
UNUSED = (
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/libarrow_flight.so*",
    "pyarrow/_flight*",
    "pyarrow/libarrow_python_flight.so*",
    "pyarrow/libarrow_s3.so*",
    "pyarrow/_s3fs*",
    "pyarrow/**/*.pyx",
    "pyarrow/**/*.pxd",
    "pyarrow/**/*.pxi",
    "boto3/examples",
    "**/*.pyi",
)


LOADED = "orca_daemon.app, orca_daemon.cli, alembic, duckdb, pyarrow.csv, pyarrow.orc, pyarrow.parquet"


def main() -> None:
    """Copy, remove, compile, and check that all modules can be imported."""
    shutil.copytree("orca_daemon", SITE / "orca_daemon", dirs_exist_ok=True)
    _command()
    trim()
    # Compiled files need no check against their sources, which never change in the image.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(SITE, quiet=1, invalidation_mode=mode, workers=0)
    # A removed file that is needed must fail the build here, not the first start.
    subprocess.run([sys.executable, "-c", f"import {LOADED}"], check=True)


def _command() -> None:
    command = Path(sys.prefix) / "bin" / "orca-daemon"
    command.write_text(f"#!{sys.executable}\nfrom orca_daemon.__main__ import main\n\nmain()\n", "utf-8")
    command.chmod(0o755)


def trim() -> None:
    """Remove the parts of libraries that the daemon does not load."""
    for service in (SITE / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for pattern in UNUSED:
        for path in SITE.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


if __name__ == "__main__":
    main()
