"""A model of a machine: which files, images, containers and units exist after each command."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath as Place

import yaml

from tests.deploy.cluster import MissingError, UnknownCommandError
from tests.deploy.commands import ROOT, Command

_DOCKER_VALUES = {
    *("--name", "--cap-drop", "--security-opt", "--stop-timeout", "-p", "-e", "--env", "--env-file"),
    *("-t", "--target", "--output"),
}
"""Options of docker that take the next word."""
FOLDERS = {"/etc/systemd/system", "/usr/local/bin"}
"""Folders that every machine has."""


@dataclass
class Machine:
    """What there is, besides a checkout in the current directory."""

    files: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    containers: set[str] = field(default_factory=set)
    loaded: bool = False
    """Whether systemd has read its units again since the last one came."""

    def run(self, command: Command) -> None:
        """Do what the command does.  Raises MissingError, or UnknownCommandError."""
        match command:
            case ["python3", "-m", "venv", place]:
                self.files |= {f"{place}/bin/python", f"{place}/bin/pip"}
            case [pip, ("install" | "wheel") as verb, *rest] if pip.endswith("/pip"):
                self._pip(pip, verb, rest)
            case ["cp", source, target]:
                self._need(source)
                self.files.add(target)
            case ["install", *rest]:
                self._install(rest)
            case ["docker", "compose", _, *rest]:
                self._compose(rest)
            case ["docker", verb, *rest]:
                self._docker(verb, rest)
            case ["systemctl", *rest]:
                self._systemctl(rest)
            case ["orca-daemon", *_]:
                self._need("/usr/local/bin/orca-daemon")
                self._unit_is_complete()
            case _:
                raise UnknownCommandError(command)

    def _need(self, place: str) -> None:
        if place not in self.files and not (ROOT / place).exists():
            raise MissingError(f"there is no {place}")

    def _pip(self, pip: str, verb: str, rest: Command) -> None:
        self._need(pip)
        libraries = f"{pip}: libraries"
        if "-r" in rest:
            self._need(rest[rest.index("-r") + 1])
            self.files.add(libraries)
        elif verb == "wheel":
            self.files.add(f"{rest[rest.index('--wheel-dir') + 1]}/orca_daemon-*.whl")
        else:
            wheel = re.search(r"\S+\.whl", rest[-1])
            if wheel:
                self._need(wheel[0].removeprefix("$(echo").strip())
            else:
                self._need(f"{rest[-1]}/pyproject.toml")
            if "--no-deps" in rest:
                self._need(libraries)
            self.files.add(pip.removesuffix("pip") + "orca-daemon")

    def _install(self, rest: Command) -> None:
        source, target = rest[-2:]
        self._need(source)
        place = Place(target) / Place(source).name if target.endswith("/") else Place(target)
        if "-D" not in rest and str(place.parent) not in FOLDERS:
            raise MissingError(f"there is no folder {place.parent}, and no -D")
        self.files.add(str(place))
        self.loaded = self.loaded and place.suffix != ".service"

    def _docker(self, verb: str, rest: Command) -> None:
        values: dict[str, str] = {}
        words: Command = []
        left = iter(rest)
        for word in left:
            if word in _DOCKER_VALUES:
                values[word] = next(left)
            elif not word.startswith("-"):
                words.append(word)
        if verb == "build":
            self._need(f"{words[0]}/Dockerfile")
            self.images |= {values[name] for name in ("-t",) if name in values}
        elif verb == "run":
            self._need(values.get("--env-file", "Dockerfile"))
            if words[0] not in self.images:
                raise MissingError(f"there is no image {words[0]}")
            self.containers |= {values[name] for name in ("--name",) if name in values}
        else:
            if verb not in {"exec", "kill", "start", "stop"}:
                raise UnknownCommandError(["docker", verb, *rest])
            if words[0] not in self.containers:
                raise MissingError(f"there is no container {words[0]}")

    def _compose(self, rest: Command) -> None:
        services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
        named = [word for word in rest if not word.startswith("-")]
        if named and named[0] not in services:
            raise MissingError(f"there is no service {named[0]}")

    def _systemctl(self, rest: Command) -> None:
        verb, *words = rest
        if verb == "daemon-reload":
            self.loaded = True
        elif units := [word for word in words if not word.startswith("-")]:
            self._need(f"/etc/systemd/system/{units[0]}.service")
            if not self.loaded:
                raise MissingError("systemd has not read the unit: daemon-reload")
            self._unit_is_complete()
        # Without it the signal goes to the child process of a comparison too, and ends it.
        assert verb != "kill" or "--kill-who=main" in words

    def _unit_is_complete(self) -> None:
        """Check every file that the unit names, and the wrapper of the command line too."""
        unit = (ROOT / "deploy/systemd/orca-daemon.service").read_text("utf-8")
        wrapper = (ROOT / "deploy/systemd/orca-daemon").read_text("utf-8")
        for place in re.findall(r"(?:/opt|/etc)/orca-daemon/[\w./-]*\w", unit + wrapper):
            self._need(place)
