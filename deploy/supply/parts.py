"""What is shipped that others wrote: the packages of the lock, and files that lie in our own package.

The image and the wheel have the same packages; the wheel names them, the image contains them.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).parents[2]
DAEMON = "daemon"
"""The part that is installed without an extra."""
PLATFORMS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "os_name": "posix",
    }
    for python in ("3.11", "3.12", "3.13", "3.14")
    for system in ("linux", "darwin")
]
"""Where the daemon runs (README.md)."""
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT": "MIT",
    "MIT License": "MIT",
    "MPL-2.0": "MPL-2.0",
    "PSF-2.0": "PSF-2.0",
}
"""How packages name their licence that do not use SPDX's expressions yet."""
READ = {
    "grpcio": "Apache-2.0",
    "grpcio-status": "Apache-2.0",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "pandas": "BSD-3-Clause",
    "psycopg2-binary": "LGPL-3.0-or-later",
    "pyspark-client": "Apache-2.0",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "zstandard": "BSD-3-Clause",
}
"""Licences of the extra `spark`, which `.venv` leaves out, and those that only a file tells exactly.

psycopg2 adds an exception for OpenSSL.
"""
VENDORED = {
    "htmx.min.js": ("htmx.org", "0BSD", "npm"),
    "idiomorph.min.js": ("idiomorph", "0BSD", "npm"),
}
"""Files of others in our package, each with `NAME.LICENSE.txt` beside it: project, licence, registry."""
VERSIONS = {"idiomorph.min.js": "0.7.4"}
"""Versions of those that do not tell it; idiomorph's is the package's `idiomorph-ext.min.js`."""


@dataclass(frozen=True, order=True)
class Part:
    """A package or file of others."""

    name: str
    version: str
    where: tuple[str, ...]
    """`daemon`, the extras that need it, or the path of the file."""
    licence: str
    """An SPDX expression."""
    registry: str = "pypi"

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:{self.registry}/{self.name}@{self.version}"


def parts() -> list[Part]:
    """All of them, by name."""
    return sorted([*packages(), *vendored()])


def packages() -> Iterator[Part]:
    """The packages of the lock that the daemon or an extra needs."""
    locked = _locked()
    (root,) = locked["orca-daemon"]
    extras = root["optional-dependencies"]
    needed = {DAEMON: root["dependencies"], **{f"[{name}]": extras[name] for name in sorted(extras)}}
    where: dict[tuple[str, str], list[str]] = {}
    for part, dependencies in needed.items():
        for package in _closure(dependencies, locked):
            found = where.setdefault((package["name"], package["version"]), [])
            if DAEMON not in found:
                found.append(part)
    for (name, version), found in where.items():
        yield Part(name, version, tuple(found), licence(name))


def vendored() -> Iterator[Part]:
    """Files of others in our own package."""
    for path in sorted((ROOT / "orca_daemon").rglob("*.min.*")):
        name, licence, registry = VENDORED[path.name]
        told = re.findall(r'version:"([\d.]+)"', path.read_text("utf-8"))
        version = VERSIONS.get(path.name) or told[0]
        if not path.with_name(path.name.partition(".")[0] + ".LICENSE.txt").exists():
            raise ValueError(f"{path} has no licence beside it")
        yield Part(name, version, (str(path.relative_to(ROOT)),), licence, registry)


def licence(name: str) -> str:
    """The licence of a package.

    Raises:
        ValueError: it is not installed, or names no licence that is known here.
    """
    if name in READ:
        return READ[name]
    try:
        found = metadata(name)
    except PackageNotFoundError:
        raise ValueError(f"{name} is not installed: put its licence into READ") from None
    if expression := found.get("License-Expression"):
        return str(expression)
    classifiers = (each.split(" :: ")[-1] for each in found.get_all("Classifier", []) if "License ::" in each)
    for text in (found.get("License") or "", *classifiers):
        if text in SPDX:
            return SPDX[text]
    raise ValueError(f"the licence of {name} is not known: put it into READ")


def _locked() -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]:
        found.setdefault(package["name"], []).append(package)
    return found


def _closure(
    dependencies: Iterable[Mapping[str, Any]], locked: Mapping[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str]] = set()
    waiting = list(dependencies)
    while waiting:
        dependency = waiting.pop()
        if not _is_needed(dependency.get("marker")):
            continue
        for package in locked[dependency["name"]]:
            if dependency.get("version", package["version"]) != package["version"]:
                continue
            extras = dependency.get("extra", [])
            waiting += [each for extra in extras for each in package["optional-dependencies"][extra]]
            if (key := (package["name"], package["version"])) not in seen:
                seen.add(key)
                waiting += package.get("dependencies", [])
                yield package


def _is_needed(marker: str | None) -> bool:
    return marker is None or any(Marker(marker).evaluate(platform) for platform in PLATFORMS)
