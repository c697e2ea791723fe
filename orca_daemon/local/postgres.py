"""Runs a real PostgreSQL server on loopback; it ends with this process.

The launchers in the packages that contain the programs create users, open private directories to everyone
and leave servers behind after an unclean exit; this one does not.  Every connection needs a password, because
a superuser may run programs (COPY FROM PROGRAM), and every user of the machine can connect to loopback.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import psycopg2
from psycopg2 import sql

from orca_daemon.local import NotStartedError
from orca_daemon.local.binaries import account, binaries
from orca_daemon.local.parent_death import command
from orca_daemon.local.ports import free_port

START_SECONDS = 30.0
_PROC = Path("/proc/self/cwd").exists()
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # WAL of a server without crash recovery is never read again: keep little of it.
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
}
SUPERUSER = "postgres"
_MAP = "starter"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "max_connections": "100",
    "log_min_messages": "warning",
}


class Postgres:
    """A server that runs between `start` and `stop`; it ends if this process dies.

    Args:
        data: data directory, kept from run to run; None for one that `stop` removes.
        port: the port if it is free, else any other; 0 for any.
        fast: skip what protects the data if the machine crashes.
        password: the superuser's password to set; None for a new one.
    """

    def __init__(
        self, data: Path | None = None, *, port: int = 0, fast: bool = False, password: str | None = None
    ) -> None:
        self._fast = fast
        self._password = password or new_password()
        self._account = account()
        self._own = Path(tempfile.mkdtemp(prefix="orca-pg-"))  # the path of a Unix socket must be short
        self._data = (data or self._own / "data").resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """`postgresql://…` of a database; by default as the superuser."""
        secret = password or self._password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None if it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            NotStartedError: PostgreSQL is missing, or did not start; the error has its last log lines.
        """
        try:
            self._give(self._own)
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            _stop_orphan(self._data)
            # Another process may take the port between our choice and its use by Postgres.
            if not any(self._serve() for _ in range(3)):
                self._raise_not_started()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it, cleanly unless that takes too long.  May be called twice."""
        if self._process:
            _end(self._process)
            self._process = None
        shutil.rmtree(self._own, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _initialise(self) -> None:
        # Create it under another name, so that an interrupted initdb does not leave a partial directory.
        making = self._data.with_name(f"{self._data.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        self._give(making)
        # These apply if a user starts the server by hand; `_serve` sets access rules of its own.
        options = ["-U", SUPERUSER, "--auth-local=peer", "--auth-host=scram-sha-256"]
        options += ["-E", "UTF8", "--locale=C"] + (["--no-sync"] if self._fast else [])
        with self._reachable(making) as (path, descriptors):
            program = self._with_parent_death("initdb", *options, "-D", path)
            result = subprocess.run(
                program, cwd=making, capture_output=True, check=False, pass_fds=descriptors
            )
        if result.returncode:
            raise NotStartedError(f"initdb in {making} failed: {_tail(result.stderr)}")
        try:
            making.replace(self._data)
        except OSError as error:
            raise NotStartedError(f"{self._data} is not empty and is not a database: move it away") from error

    def _serve(self) -> bool:
        """Start the server on a free port; returns whether it answers there."""
        self.port = free_port(self.port)
        settings = _SETTINGS | (_FAST if self._fast else {})
        settings |= {"port": str(self.port), "unix_socket_directories": str(self._own)}
        settings |= self._access_rules()
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._own / "log").open("wb") as log, self._reachable(self._data) as (path, descriptors):
            self._process = subprocess.Popen(
                self._with_parent_death("postgres", "-D", path, *options),
                cwd=self._data,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # keep Ctrl-C from it: our program stops it in order
            )
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg2.OperationalError):
                self._set_password()
                return True
            time.sleep(0.01)
        _end(self._process)
        return False

    def _access_rules(self) -> dict[str, str]:
        """Passwords over TCP; on the socket, in a private directory, our own user may be the superuser."""
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise NotStartedError(f"user id {os.geteuid()} has no name, and PostgreSQL needs one") from None
        files = {
            "hba_file": f"local all {SUPERUSER} peer map={_MAP}\nhost all all 127.0.0.1/32 scram-sha-256\n",
            "ident_file": f'{_MAP} "{name}" {SUPERUSER}\n',
        }
        for setting, text in files.items():
            (self._own / setting).write_text(text)
            self._give(self._own / setting)
        return {setting: str(self._own / setting) for setting in files}

    def _set_password(self) -> None:
        # Connect by its socket, because another process may be listening on the port.
        with closing(
            psycopg2.connect(
                host=str(self._own), port=self.port, user=SUPERUSER, dbname="postgres", connect_timeout=2
            )
        ) as connection:
            connection.autocommit = True
            set_password(connection, SUPERUSER, self._password)

    @contextmanager
    def _reachable(self, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        """A path by which the program names the folder, and the descriptors that it must inherit for that.

        If root starts it, it runs as a user who may lack access to a parent directory; this path needs none.
        The working directory would not do: until Postgres 15 the programs leave it at their start.
        """
        if not (self._account and _PROC):
            yield str(folder), ()
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)

    def _with_parent_death(self, program: str, *arguments: str) -> list[str]:
        # SIGINT is Postgres's fast shutdown: it disconnects clients and keeps data safe.
        path = str(binaries() / program)
        return command([path, *arguments], stop_with=signal.SIGINT, account=self._account)

    def _give(self, folder: Path) -> None:
        if self._account:
            os.chown(folder, *self._account)

    def _raise_not_started(self) -> NoReturn:
        text = _tail((self._own / "log").read_bytes())
        raise NotStartedError(
            f"PostgreSQL did not start on {self._data}: {text}; to start with a new, empty one, move it away"
        )


def new_password() -> str:
    """A random password that needs no escaping in a URL."""
    return secrets.token_urlsafe(24)


def set_password(connection: "psycopg2.extensions.connection", role: str, password: str) -> None:
    """Set a random password of a role; for a random one, one hash iteration is enough (from Postgres 16)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'scram_iterations'")
        cursor.execute("SET password_encryption = 'scram-sha-256'")
        cursor.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        )


def _end(process: "subprocess.Popen[bytes]", patience: float = 20.0) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop_orphan(data: Path) -> None:
    """Stop a server that still uses this directory because its parent died.

    On Linux the parent-death signal has stopped it already, so this waits; other systems have no such signal.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    deadline = time.monotonic() + START_SECONDS
    while _serves(pid, data) and time.monotonic() < deadline:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.05)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a Postgres on this directory; the system may have reused the process id."""
    if _PROC:
        with suppress(FileNotFoundError, PermissionError):
            return Path(f"/proc/{pid}/cwd").readlink() == data
        return False
    listed = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    text = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
    return "postgres" in text and str(data) in text


def _tail(text: bytes) -> str:
    return " / ".join(text.decode(errors="replace").strip().splitlines()[-3:])
