"""A real PostgreSQL on loopback, for one process and no longer than it.

The launchers of the packages that bring the programs add users, open closed directories to everyone and
lose servers after an unclean exit; this one does none of it.  Every connection needs a password, because a
superuser may run programs (COPY FROM PROGRAM), and every user of the machine can reach loopback.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing, suppress
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
    # What is never read again needs no room.
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
    """A server that runs between `start` and `stop`, and not after this process.

    Args:
        data: where the data lies, kept from run to run; None for a directory that goes with the server.
        port: taken if it is free; 0 is any.
        fast: forget about crashes of the machine.
        password: the superuser's from now on; None for a new one.
    """

    def __init__(
        self, data: Path | None = None, *, port: int = 0, fast: bool = False, password: str | None = None
    ) -> None:
        self._fast = fast
        self._password = password or new_password()
        self._account = account()
        self._own = Path(tempfile.mkdtemp(prefix="orca-pg-"))  # sockets need a short path
        self._data = (data or self._own / "data").resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """`postgresql://…` of a database; by default as the superuser."""
        secret = password or self._password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The server's first process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            NotStartedError: there is none to start, or it would not; its own words are in the error.
        """
        try:
            self._give(self._own)
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            _stop_orphan(self._data)
            # Between our choice of a port and Postgres taking it, another process may have it.
            if not any(self._serve() for _ in range(3)):
                self._refuse()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it, cleanly unless that takes too long.  Twice is once."""
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
        # Beside its place first: one that was interrupted must not be taken for a whole one.
        making = self._data.with_name(f"{self._data.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        self._give(making)
        # For whoever starts it by hand; `_serve` brings rules of its own.
        options = ["-U", SUPERUSER, "--auth-local=peer", "--auth-host=scram-sha-256"]
        options += ["-E", "UTF8", "--locale=C", "-D", self._walked(making)]
        options += ["--no-sync"] if self._fast else []
        program = self._with_parent_death("initdb", *options)
        made = subprocess.run(program, cwd=making, capture_output=True, check=False)
        if made.returncode:
            raise NotStartedError(f"initdb in {making} failed: {_tail(made.stderr)}")
        try:
            making.replace(self._data)
        except OSError as error:
            raise NotStartedError(f"{self._data} holds something, but no database: move it away") from error

    def _serve(self) -> bool:
        """Start the server on some port; whether it stayed to answer there."""
        self.port = free_port(self.port)
        settings = _SETTINGS | (_FAST if self._fast else {})
        settings |= {"port": str(self.port), "unix_socket_directories": str(self._own)}
        settings |= self._access_rules()
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._own / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._with_parent_death("postgres", "-D", self._walked(self._data), *options),
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the program above, which stops us in its order
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
        """Passwords over TCP; on the socket, which lies in a closed directory, the superuser for us alone."""
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise NotStartedError(f"user id {os.geteuid()} has no name: PostgreSQL wants one") from None
        files = {
            "hba_file": f"local all {SUPERUSER} peer map={_MAP}\nhost all all 127.0.0.1/32 scram-sha-256\n",
            "ident_file": f'{_MAP} "{name}" {SUPERUSER}\n',
        }
        for setting, text in files.items():
            (self._own / setting).write_text(text)
            self._give(self._own / setting)
        return {setting: str(self._own / setting) for setting in files}

    def _set_password(self) -> None:
        # On its socket, which it opens after its port: what answers at the port may be another's.
        with closing(
            psycopg2.connect(
                host=str(self._own), port=self.port, user=SUPERUSER, dbname="postgres", connect_timeout=2
            )
        ) as connection:
            connection.autocommit = True
            set_password(connection, SUPERUSER, self._password)

    def _walked(self, folder: Path) -> str:
        """How the program, whose working directory it is, names the folder.

        Started by root, it runs as somebody who may not be able to walk there; this needs no walk.
        """
        return "/proc/self/cwd" if self._account and _PROC else str(folder)

    def _with_parent_death(self, program: str, *arguments: str) -> list[str]:
        # SIGINT is Postgres's fast shutdown: clients are cut off, data is safe.
        path = str(binaries() / program)
        return command([path, *arguments], stop_with=signal.SIGINT, account=self._account)

    def _give(self, folder: Path) -> None:
        if self._account:
            os.chown(folder, *self._account)

    def _refuse(self) -> NoReturn:
        text = _tail((self._own / "log").read_bytes())
        raise NotStartedError(
            f"PostgreSQL did not start on {self._data}: {text}; moved away, the directory is made anew, empty"
        )


def new_password() -> str:
    """A password that nobody guesses, and that a URL takes as it is."""
    return secrets.token_urlsafe(24)


def set_password(connection: "psycopg2.extensions.connection", role: str, password: str) -> None:
    """Give a role a password that was drawn at random: one round of hashing is enough (from Postgres 16)."""
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
    """Stop a server that still has this directory: its parent died, and not every system has a parent-death
    signal.

    On Linux it is stopping already, and is waited for.
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
    """Whether the process is a Postgres of this directory: numbers of processes are given out again."""
    if _PROC:
        with suppress(FileNotFoundError, PermissionError):
            return Path(f"/proc/{pid}/cwd").readlink() == data
        return False
    listed = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    text = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
    return "postgres" in text and str(data) in text


def _tail(text: bytes) -> str:
    return " / ".join(text.decode(errors="replace").strip().splitlines()[-3:])
