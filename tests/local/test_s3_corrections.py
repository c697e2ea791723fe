"""The corrections in front of moto behave as S3 does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from types_boto3_s3 import S3Client

MakeBucket = Callable[[], str]
PART = 5 * 1024**2


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


@pytest.fixture
def here(bucket: MakeBucket, s3: S3Client) -> str:
    name = bucket()
    s3.put_object(Bucket=name, Key="k ü+1", Body=b"data")
    return name


def test_a_copy_is_refused_if_the_etag_of_the_source_differs(s3: S3Client, here: str) -> None:
    etag = s3.head_object(Bucket=here, Key="k ü+1")["ETag"]
    source = {"Bucket": here, "Key": "k ü+1"}
    s3.copy_object(Bucket=here, Key="good", CopySource=source, CopySourceIfMatch=etag)  # type: ignore[arg-type]
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=here, Key="bad", CopySource=source, CopySourceIfMatch='"other"')  # type: ignore[arg-type]
    assert code(caught) == "PreconditionFailed"


def test_a_part_of_another_or_of_an_archived_source_is_refused(s3: S3Client, here: str) -> None:
    s3.put_object(Bucket=here, Key="cold", Body=b"data", StorageClass="GLACIER")
    upload = s3.create_multipart_upload(Bucket=here, Key="t")["UploadId"]
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(
            Bucket=here,
            Key="t",
            UploadId=upload,
            PartNumber=1,
            CopySource={"Bucket": here, "Key": "k ü+1"},
            CopySourceIfMatch='"other"',
        )
    assert code(caught) == "PreconditionFailed"
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(
            Bucket=here, Key="t", UploadId=upload, PartNumber=1, CopySource={"Bucket": here, "Key": "cold"}
        )
    assert code(caught) == "InvalidObjectState"
    s3.abort_multipart_upload(Bucket=here, Key="t", UploadId=upload)


def test_a_range_of_a_small_source_is_refused_and_the_whole_of_it_is_not(s3: S3Client, here: str) -> None:
    upload = s3.create_multipart_upload(Bucket=here, Key="t")["UploadId"]
    part: Any = {
        "Bucket": here,
        "Key": "t",
        "UploadId": upload,
        "PartNumber": 1,
        "CopySource": {"Bucket": here, "Key": "k ü+1"},
    }
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(**part, CopySourceRange="bytes=0-3")
    assert code(caught) == "InvalidRequest"
    done = s3.upload_part_copy(**part)["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(
        Bucket=here, Key="t", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": done}]}
    )
    assert s3.get_object(Bucket=here, Key="t")["Body"].read() == b"data"


def test_an_upload_has_the_time_when_it_was_initiated(s3: S3Client, here: str) -> None:
    upload = s3.create_multipart_upload(Bucket=here, Key="t")["UploadId"]
    [listed] = s3.list_multipart_uploads(Bucket=here)["Uploads"]
    assert datetime.now(UTC) - listed["Initiated"] < timedelta(minutes=1)
    s3.abort_multipart_upload(Bucket=here, Key="t", UploadId=upload)


def test_a_copy_in_one_request_has_a_single_part_etag(s3: S3Client, here: str) -> None:
    upload = s3.create_multipart_upload(Bucket=here, Key="cut")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=here, Key="cut", UploadId=upload, PartNumber=number, Body=bytes(PART)
            )["ETag"],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(
        Bucket=here,
        Key="cut",
        UploadId=upload,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )
    assert s3.head_object(Bucket=here, Key="cut")["ETag"].endswith('-2"')
    s3.copy_object(Bucket=here, Key="whole", CopySource={"Bucket": here, "Key": "cut"})
    s3.put_object(Bucket=here, Key="same", Body=bytes(2 * PART))
    assert s3.head_object(Bucket=here, Key="whole")["ETag"] == s3.head_object(Bucket=here, Key="same")["ETag"]


def test_a_copy_that_must_not_replace_is_refused_if_the_target_exists(s3: S3Client, here: str) -> None:
    source: Any = {"Bucket": here, "Key": "k ü+1"}
    s3.copy_object(Bucket=here, Key="n ü+1", CopySource=source, IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=here, Key="n ü+1", CopySource=source, IfNoneMatch="*")
    assert code(caught) == "PreconditionFailed"
