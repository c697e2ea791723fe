"""Installs the daemon into the image's environment and removes files of libraries that it never uses."""

import compileall
import py_compile
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

SITE = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
SERVICES = frozenset({"s3", "sqs", "secretsmanager", "ssm", "sts", "sso", "sso-oidc", "signin"})
"""botocore's service models to keep: the five that we call, and those that credentials may come from."""
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


LOADED = (
    "orca_daemon.app, orca_daemon.cli, orca_daemon.console.life, alembic, duckdb, pyarrow.csv, pyarrow.orc, "
    "pyarrow.parquet"
)


def main() -> None:
    """Copy, trim, compile, and check that everything can still be imported."""
    copy_package(SITE)
    _command()
    trim()
    # Sources in the image never change, so Python need not compare compiled files with them at each import.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(SITE, quiet=1, invalidation_mode=mode, workers=0)
    # If `trim` removed too much, fail the build and not the first start.
    subprocess.run([sys.executable, "-c", f"import {LOADED}"], check=True)


def copy_package(site: Path) -> None:
    """Copy the package and the files that the wheel adds to it; the current directory is the project's."""
    shutil.copytree("orca_daemon", site / "orca_daemon", dirs_exist_ok=True)
    build = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    for source, target in build["targets"]["wheel"]["force-include"].items():
        (site / target).parent.mkdir(exist_ok=True)
        shutil.copy(source, site / target)


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
