"""Whether two objects are known to have the same content."""

import pytest

from orca_daemon.aws.s3copy.content_match import ContentMatch, compare
from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object, parsed

MD5, OTHER = '"9e107d9d372bb6826bd81d3542a419d6"', '"e4d909c290d0fb1ca068ffaddf22cbd0"'
CUT, CUT_OTHERWISE = '"9e107d9d372bb6826bd81d3542a419d6-3"', '"e4d909c290d0fb1ca068ffaddf22cbd0-7"'


def of(etag: str = MD5, size: int = 7, encryption: str = "", **checksums: str) -> ObjectHead:
    return ObjectHead(size=size, etag=etag, encryption=encryption, checksums=checksums)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (of(), of(size=8), ContentMatch(same=False, by="size")),
        (of(CRC32="a"), of(CRC32="a"), ContentMatch(same=True, by="CRC32")),
        (of(CRC32="a"), of(CRC32="b"), ContentMatch(same=False, by="CRC32")),
        (of(CUT, CRC64NVME="a"), of(MD5, CRC64NVME="a"), ContentMatch(same=True, by="CRC64NVME")),
        (of(CRC32="a"), of(SHA256="b"), ContentMatch(same=True, by="ETag")),
        (of(MD5), of(MD5), ContentMatch(same=True, by="ETag")),
        (of(CUT), of(CUT), ContentMatch(same=True, by="ETag")),
        (of(MD5), of(OTHER), ContentMatch(same=False, by="ETag")),
        (of(CUT), of(CUT_OTHERWISE), ContentMatch(same=None, by="size")),
        (of(MD5), of(CUT), ContentMatch(same=None, by="size")),
        (of(MD5), of(OTHER, encryption="aws:kms"), ContentMatch(same=None, by="size")),
        (of(MD5, encryption="aws:kms:dsse"), of(OTHER), ContentMatch(same=None, by="size")),
        (of(MD5, encryption="AES256"), of(OTHER, encryption="AES256"), ContentMatch(same=False, by="ETag")),
    ],
)
def test_the_table_of_verdicts(one: ObjectHead, other: ObjectHead, verdict: ContentMatch) -> None:
    assert compare(one, other) == verdict
    assert compare(other, one) == verdict


def test_checksums_of_parts_are_not_those_of_the_whole() -> None:
    head = {"ContentLength": 7, "ETag": CUT, "ChecksumCRC32": "aaaa"}
    assert parsed(head).checksums == {"CRC32": "aaaa"}
    assert parsed({**head, "ChecksumType": "COMPOSITE"}).checksums == {}
    assert parsed({**head, "ChecksumCRC32": "aaaa-3"}).checksums == {}


@pytest.mark.parametrize(
    ("storage_class", "restore", "status", "in_archive", "archived"),
    [
        (None, "", "", False, False),
        ("GLACIER_IR", "", "", False, False),
        ("GLACIER", "", "", True, True),
        ("DEEP_ARCHIVE", 'ongoing-request="true"', "", True, True),
        ("DEEP_ARCHIVE", 'ongoing-request="false", expiry-date="x"', "", True, False),
        ("INTELLIGENT_TIERING", "", "ARCHIVE_ACCESS", True, True),
        ("INTELLIGENT_TIERING", "", "", False, False),
    ],
)
def test_what_sleeps_in_an_archive(
    storage_class: str | None,
    restore: str,
    status: str,
    in_archive: bool,  # noqa: FBT001
    archived: bool,  # noqa: FBT001
) -> None:
    found = parsed(
        {
            "ContentLength": 7,
            "ETag": MD5,
            "StorageClass": storage_class,
            "Restore": restore,
            "ArchiveStatus": status,
        }
    )
    assert (found.in_archive, found.archived) == (in_archive, archived)


@pytest.mark.parametrize("url", ["", "s3://", "s3://b", "s3://b/", "s3:///k", "b/k", "https://b/k"])
def test_what_names_no_place(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form s3://bucket/key"):
        S3Object.of(url)


def test_a_place_is_read_as_it_is_written() -> None:
    assert S3Object.of("s3://b/a b/c+d%20?x#y") == S3Object("b", "a b/c+d%20?x#y")
