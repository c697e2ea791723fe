"""Disaster recovery: where an object goes that no job asked for."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from orca_daemon.engine.errors import Reject
from orca_daemon.settings import RecoverySection

OTHER = "other"


def destination(key: str, rule: RecoverySection) -> str:
    """The bucket for this key: by `bucket_map` where there is one, else data files here, the rest there.

    Raises:
        Reject: the rule has no bucket for it.
    """
    extension = PurePosixPath(key).suffix.lower()
    if rule.bucket_map:
        mapped = _dotted(rule.bucket_map)
        bucket = mapped.get(extension) or mapped.get(OTHER)
    else:
        data = extension in {name.lower() for name in rule.data_extensions}
        bucket = rule.protected_bucket if data else rule.public_bucket
    if not bucket:
        kind = f"{extension} files" if extension else "files without an extension"
        raise Reject(f"no bucket is set for {kind}: see bucket_map, protected_bucket and public_bucket")
    return bucket


def _dotted(bucket_map: Mapping[str, str]) -> dict[str, str]:
    """The map with its extensions as they are looked up: `h5`, `.h5` and `.H5` are the same."""
    return {
        name if name == OTHER else f".{name.lower().removeprefix('.')}": bucket
        for name, bucket in bucket_map.items()
    }
