"""Whether two objects have the same content, as far as S3 reports."""

from dataclasses import dataclass

from orca_daemon.aws.s3copy.objects import ObjectHead


@dataclass(frozen=True, slots=True)
class ContentMatch:
    """`same` is None where the facts prove neither; `by` is what decided."""

    same: bool | None
    by: str


def compare(one: ObjectHead, other: ObjectHead) -> ContentMatch:
    """Compare by size, then by checksum of the whole object, then by ETag.

    ETags of objects that were cut differently, or that KMS encrypts, differ for equal content; equal ETags
    of any kind mean equal content.
    """
    if one.size != other.size:
        return ContentMatch(same=False, by="size")
    for name in one.checksums.keys() & other.checksums.keys():
        return ContentMatch(same=one.checksums[name] == other.checksums[name], by=name)
    if one.etag == other.etag:
        return ContentMatch(same=True, by="ETag")
    if one.digest and other.digest:
        return ContentMatch(same=False, by="ETag")
    return ContentMatch(same=None, by="size")
