"""The granules of the sample archive: two collections, with names as an archive centre uses them."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_COLLECTIONS = (("MOD09GQ", "006"), ("VNP46A2", "001"))
_TILES = ("h08v05", "h11v03", "h18v04", "h21v09", "h25v05", "h31v11")
_FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
_SUFFIXES = (".hdf", ".hdf.met", "_BROWSE image+key.jpg", ".cmr.json")
"""One has characters that S3 percent-encodes in its events and inventories."""
_PUBLIC = (".jpg", ".json")


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One object of the archive, as it is stored."""

    name: str
    key: str
    body: bytes
    destination: str
    """Role of the bucket to recover it to."""

    @property
    def etag(self) -> str:
        """The object's ETag in quotes, as S3 returns it."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class DemoGranule:
    """One observation, whose files are archived and recovered together."""

    id: str
    shortname: str
    version: str
    files: tuple[ArchivedFile, ...]

    @property
    def collection(self) -> str:
        """Id of the collection, in Cumulus's form."""
        return f"{self.shortname}___{self.version}"


def granules(count: int, made: datetime) -> Iterator[DemoGranule]:
    """Granules that depend only on `count` and the time of production `made`."""
    for number in range(count):
        shortname, version = _COLLECTIONS[number % len(_COLLECTIONS)]
        day = _FIRST_DAY + timedelta(days=number // len(_TILES))
        tile = _TILES[number % len(_TILES)]
        name = f"{shortname}.A{day:%Y%j}.{tile}.{version}.{made:%Y%j%H%M%S}{number:04}"
        folder = f"{shortname}.{version}/{day:%Y/%j}"
        files = tuple(_file(name, folder, suffix) for suffix in _SUFFIXES)
        yield DemoGranule(name, shortname, version, files)


def _file(granule: str, folder: str, suffix: str) -> ArchivedFile:
    name = granule + suffix
    content = random.Random(name)
    body = content.randbytes(content.randint(400, 4000))
    return ArchivedFile(name, f"{folder}/{name}", body, "public" if suffix.endswith(_PUBLIC) else "protected")
