"""Which buckets a copy may read and write, as settings say it: a message alone must not decide that."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from orca_daemon.wire.s3_names import is_bucket

if TYPE_CHECKING:
    from orca_daemon.settings.sections import Settings


def matches(bucket: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means this bucket: `*`, `?` and `[…]` as in file names, case counts."""
    return any(fnmatchcase(bucket, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """What settings say of copies; None is no rule."""

    sources: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    export: str | None = None
    compared: tuple[str, ...] = ()
    """What `reconcile.sources` names: archives, and reports that others write.  `*` alone names nothing."""

    @classmethod
    def of(cls, settings: "Settings") -> "CopyRules":
        """The rules of these settings."""
        copies = settings.copies
        named = settings.reconcile.sources or ()
        return cls(
            sources=copies.sources,
            targets=copies.targets,
            export=settings.export.bucket,
            compared=tuple(pattern for pattern in named if set(pattern) != {"*"}),
        )

    @property
    def unset(self) -> list[str]:
        """The settings that would have to be set before a message can name no bucket but those meant."""
        given = {"copies.sources": self.sources, "copies.targets": self.targets}
        return [name for name, patterns in given.items() if patterns is None]

    def source_refusal(self, bucket: str) -> str | None:
        """Why nothing is copied from this bucket, as a sentence; None where it is allowed."""
        if not is_bucket(bucket):
            return f"nothing is copied from {bucket!r}: it is not the name of a bucket"
        if bucket == self.export:
            return f"nothing is copied from {bucket}: it holds exports (export.bucket)"
        if self.sources is not None and not matches(bucket, self.sources):
            return f"nothing is copied from {bucket}: copies.sources does not name it"
        return None

    def target_refusal(self, bucket: str) -> str | None:
        """Why nothing is copied to this bucket, as a sentence; None where it is allowed."""
        if not is_bucket(bucket):
            return f"nothing is copied to {bucket!r}: it is not the name of a bucket"
        if bucket == self.export:
            return f"nothing is copied to {bucket}: it holds exports (export.bucket)"
        if self.sources is not None and matches(bucket, self.sources):
            return f"nothing is copied to {bucket}: copies.sources names it, and an archive is only read"
        if self.targets is not None and not matches(bucket, self.targets):
            return f"nothing is copied to {bucket}: copies.targets does not name it"
        # Where targets are named, somebody has decided already.
        if self.targets is None and matches(bucket, self.compared):
            return (
                f"nothing is copied to {bucket}: reconcile.sources names it, and what is compared is only "
                "read; set copies.targets if that is meant"
            )
        return None

    def refusal(self, source: str, target: str) -> str | None:
        """Why nothing is copied from the one bucket to the other; None where it is allowed."""
        return self.source_refusal(source) or self.target_refusal(target)


def contradictions(settings: "Settings") -> Iterator[str]:
    """What the settings say of copies that can never be: a destination of theirs that they forbid."""
    rules = CopyRules.of(settings)
    if any(set(pattern) == {"*"} for pattern in rules.sources or ()):
        yield "copies.sources: * names every bucket, which leaves none to copy to"
    for setting, bucket in _destinations(settings):
        if refusal := rules.target_refusal(bucket):
            yield f"{setting}: {refusal}"


def _destinations(settings: "Settings") -> Iterator[tuple[str, str]]:
    """The buckets, and the settings, that copies are sent to by name."""
    yield from (("copies.targets", name) for name in settings.copies.targets or () if is_bucket(name))
    recovery = settings.recovery
    if recovery.unknown_keys != "route":
        return
    yield from ((f"recovery.bucket_map.{kind}", name) for kind, name in recovery.bucket_map.items())
    single = {"protected_bucket": recovery.protected_bucket, "public_bucket": recovery.public_bucket}
    yield from ((f"recovery.{key}", name) for key, name in single.items() if name)
