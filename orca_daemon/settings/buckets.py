"""Which buckets a copy may read and write.  Settings decide that, because anybody may send a message."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from orca_daemon.wire.s3_names import is_bucket

if TYPE_CHECKING:
    from orca_daemon.settings.sections import Settings


def matches(bucket: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern matches this bucket: `*`, `?` and `[…]` as in file names, case-sensitive."""
    return any(fnmatchcase(bucket, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """The settings that restrict copies; None means no restriction."""

    sources: tuple[str, ...] | None = None
    """`copies.sources`."""
    targets: tuple[str, ...] | None = None
    """`copies.targets`."""
    export: str | None = None
    """`export.bucket`."""
    compared: tuple[str, ...] = ()
    """`reconcile.sources`, that is, archives and reports, without the pattern `*`, which names no bucket."""

    @classmethod
    def of(cls, settings: "Settings") -> "CopyRules":
        """The rules of these settings."""
        copies = settings.copies
        patterns = settings.reconcile.sources or ()
        return cls(
            sources=copies.sources,
            targets=copies.targets,
            export=settings.export.bucket,
            compared=tuple(pattern for pattern in patterns if set(pattern) != {"*"}),
        )

    @property
    def unset(self) -> list[str]:
        """The settings without which a message may name any bucket."""
        restrictions = {"copies.sources": self.sources, "copies.targets": self.targets}
        return [name for name, patterns in restrictions.items() if patterns is None]

    def source_refusal(self, bucket: str) -> str | None:
        """Why copies from this bucket are refused, as a sentence; None if they are allowed."""
        if not is_bucket(bucket):
            return f"nothing is copied from {bucket!r}: it is not the name of a bucket"
        if bucket == self.export:
            return f"nothing is copied from {bucket}: it holds exports (export.bucket)"
        if self.sources is not None and not matches(bucket, self.sources):
            return f"nothing is copied from {bucket}: copies.sources does not name it"
        return None

    def target_refusal(self, bucket: str) -> str | None:
        """Why copies to this bucket are refused, as a sentence; None if they are allowed."""
        if not is_bucket(bucket):
            return f"nothing is copied to {bucket!r}: it is not the name of a bucket"
        if bucket == self.export:
            return f"nothing is copied to {bucket}: it holds exports (export.bucket)"
        if self.sources is not None and matches(bucket, self.sources):
            return f"nothing is copied to {bucket}: copies.sources names it, and an archive is only read"
        if self.targets is not None and not matches(bucket, self.targets):
            return f"nothing is copied to {bucket}: copies.targets does not name it"
        # If copies.targets is set, the operator has allowed this bucket by name.
        if self.targets is None and matches(bucket, self.compared):
            return (
                f"nothing is copied to {bucket}: reconcile.sources names it, and what is compared is only "
                "read; to allow it, name it in copies.targets"
            )
        return None

    def refusal(self, source: str, target: str) -> str | None:
        """Why a copy from `source` to `target` is refused, as a sentence; None if it is allowed."""
        return self.source_refusal(source) or self.target_refusal(target)


def contradictions(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Destinations of copies that the settings both name and forbid, each as a setting and a sentence."""
    rules = CopyRules.of(settings)
    if any(set(pattern) == {"*"} for pattern in rules.sources or ()):
        yield "copies.sources", "* names every bucket, which leaves none to copy to"
    archive = settings.restore.bucket
    if archive is not None and (refusal := rules.source_refusal(archive)):
        yield "restore.bucket", refusal
    for setting, bucket in _destinations(settings):
        if refusal := rules.target_refusal(bucket):
            yield setting, refusal


def _destinations(settings: "Settings") -> Iterator[tuple[str, str]]:
    """The destinations that settings name, each as the setting and its bucket."""
    yield from (("copies.targets", name) for name in settings.copies.targets or () if is_bucket(name))
    yield from (("restore.destinations", name) for name in settings.restore.destinations.values())
    recovery = settings.recovery
    if recovery.unknown_keys != "route":
        return
    yield from ((f"recovery.bucket_map.{kind}", name) for kind, name in recovery.bucket_map.items())
    single = {"protected_bucket": recovery.protected_bucket, "public_bucket": recovery.public_bucket}
    yield from ((f"recovery.{key}", name) for key, name in single.items() if name)
