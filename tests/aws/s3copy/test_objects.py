"""Objects: their URLs, archive states and checksums, and whether two hold the same content."""

import pytest

from orca_daemon.aws.s3copy.objects import ContentMatch, ObjectHead, S3Object, compare, parsed

MD5, OTHER_MD5 = '"9e107d9d372bb6826bd81d3542a419d6"', '"e4d909c290d0fb1ca068ffaddf22cbd0"'
IN_PARTS, OTHER_PARTS = '"9e107d9d372bb6826bd81d3542a419d6-3"', '"e4d909c290d0fb1ca068ffaddf22cbd0-7"'


def head(etag: str = MD5, size: int = 7, encryption: str = "", **checksums: str) -> ObjectHead:
    return ObjectHead(size=size, etag=etag, encryption=encryption, checksums=checksums)


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        (head(), head(size=8), ContentMatch(same=False, by="size")),
        (head(CRC32="a"), head(CRC32="a"), ContentMatch(same=True, by="CRC32")),
        (head(CRC32="a"), head(CRC32="b"), ContentMatch(same=False, by="CRC32")),
        (head(IN_PARTS, CRC64NVME="a"), head(MD5, CRC64NVME="a"), ContentMatch(same=True, by="CRC64NVME")),
        (head(CRC32="a"), head(SHA256="b"), ContentMatch(same=True, by="ETag")),
        (head(MD5), head(MD5), ContentMatch(same=True, by="ETag")),
        (head(IN_PARTS), head(IN_PARTS), ContentMatch(same=True, by="ETag")),
        (head(MD5), head(OTHER_MD5), ContentMatch(same=False, by="ETag")),
        (head(IN_PARTS), head(OTHER_PARTS), ContentMatch(same=None, by="size")),
        (head(MD5), head(IN_PARTS), ContentMatch(same=None, by="size")),
        (head(MD5), head(OTHER_MD5, encryption="aws:kms"), ContentMatch(same=None, by="size")),
        (head(MD5, encryption="aws:kms:dsse"), head(OTHER_MD5), ContentMatch(same=None, by="size")),
        (
            head(MD5, encryption="AES256"),
            head(OTHER_MD5, encryption="AES256"),
            ContentMatch(same=False, by="ETag"),
        ),
    ],
)
def test_two_objects_are_compared_by_size_then_checksum_then_etag(
    one: ObjectHead, other: ObjectHead, match: ContentMatch
) -> None:
    assert compare(one, other) == match
    assert compare(other, one) == match


def test_checksums_of_parts_are_not_taken_for_checksums_of_the_object() -> None:
    response = {"ContentLength": 7, "ETag": IN_PARTS, "ChecksumCRC32": "aaaa"}
    assert parsed(response).checksums == {"CRC32": "aaaa"}
    assert parsed({**response, "ChecksumType": "COMPOSITE"}).checksums == {}
    assert parsed({**response, "ChecksumCRC32": "aaaa-3"}).checksums == {}


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
def test_an_object_in_an_archive_can_be_read_only_while_it_is_restored(
    storage_class: str | None,
    restore: str,
    status: str,
    in_archive: bool,  # noqa: FBT001
    archived: bool,  # noqa: FBT001
) -> None:
    read = parsed(
        {
            "ContentLength": 7,
            "ETag": MD5,
            "StorageClass": storage_class,
            "Restore": restore,
            "ArchiveStatus": status,
        }
    )
    assert (read.in_archive, read.archived) == (in_archive, archived)


@pytest.mark.parametrize("url", ["", "s3://", "s3://b", "s3://b/", "s3:///k", "b/k", "https://b/k"])
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form s3://bucket/key"):
        S3Object.of(url)


def test_a_url_is_not_decoded() -> None:
    assert S3Object.of("s3://b/a b/c+d%20?x#y") == S3Object("b", "a b/c+d%20?x#y")
