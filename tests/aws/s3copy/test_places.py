"""The places of S3 at which a copy reports failures and successes."""

from collections.abc import Callable, Iterator

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.aws.s3copy import Copier, ObjectMissingError, S3Object
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.aws.s3copy.requests import S3RequestError
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused
from tests.aws.s3copy.faulty import Fault, Faulty, operation

MakeCopier = Callable[..., Copier]
MakeBucket = Callable[[], str]
COPYING = ("CopyObject", "UploadPartCopy")
READ_DENIED = "User: u is not authorized to perform: s3:GetObject on resource: r because no policy allows it"
KEY_DENIED = "User: u is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:…"
WRITE_DENIED = "User: u is not authorized to perform: s3:PutObject on resource: r"


@pytest.fixture
def source(s3: S3Client, bucket: MakeBucket) -> S3Object:
    place = S3Object(bucket(), "d/g.h5")
    s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"x" * 6 * MIB)
    return place


@pytest.fixture
def target(bucket: MakeBucket) -> S3Object:
    return S3Object(bucket(), "d/g.h5")


@pytest.fixture
def successes() -> Iterator[list[str]]:
    """The places where something succeeded."""
    reported: list[str] = []
    token = places._listener.set(lambda dependency, place: reported.append(f"{dependency} {place}"))
    yield reported
    places._listener.reset(token)


@pytest.mark.parametrize("threshold", [1024, 5], ids=["one request", "parts"])
async def test_a_copy_succeeds_at_the_places_that_it_reads_and_writes(
    source: S3Object, target: S3Object, copier: MakeCopier, successes: list[str], threshold: int
) -> None:
    await copier(threshold=threshold * MIB).copy(source, target)
    assert set(successes) == {
        f"s3 read {source.bucket}",
        f"s3 read {target.bucket}",
        f"s3 write {target.bucket}",
    }


async def test_a_missing_object_is_a_success_of_the_place(
    target: S3Object, copier: MakeCopier, successes: list[str]
) -> None:
    with pytest.raises(ObjectMissingError):
        await copier().head(target)
    assert successes == [f"s3 read {target.bucket}"]


async def test_a_request_that_was_never_sent_says_nothing_about_the_place(
    copier: MakeCopier, successes: list[str]
) -> None:
    with pytest.raises(S3RequestError, match="Invalid bucket name"):
        await copier().requests.call("head_object", Bucket="no bucket", Key="k")
    assert successes == []


FAULTS = {
    "fault": (500, "InternalError"),
    "clock": (403, "RequestTimeTooSkewed"),
    "key": (403, "InvalidAccessKeyId"),
}
VERBS = {
    "HeadObject": "read",
    "GetObjectTagging": "read",
    "CreateMultipartUpload": "write",
    "UploadPartCopy": "write",
    "CompleteMultipartUpload": "write",
}


@pytest.mark.parametrize(("status", "code"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize(("name", "verb"), VERBS.items(), ids=VERBS)
async def test_a_fault_that_may_pass_is_reported_at_its_place(
    source: S3Object,
    target: S3Object,
    copier: MakeCopier,
    faulty: Faulty,
    name: str,
    verb: str,
    status: int,
    code: str,
) -> None:
    # The response to HEAD has no body, so the copier sends a GET for the reason.
    failing = ("HeadObject", "GET") if name == "HeadObject" else (name,)
    faulty.fail(Fault(lambda request: any(operation(each)(request) for each in failing), status, code))
    with pytest.raises(DependencyDown) as caught:
        await copier(threshold=5 * MIB).copy(source, target)
    assert caught.value.place == f"{verb} {source.bucket if verb == 'read' else target.bucket}"


async def test_a_place_that_asks_to_slow_down_is_not_down(
    source: S3Object, target: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("CopyObject"), 503, "SlowDown"))
    with pytest.raises(NotYet):
        await copier().copy(source, target)


@pytest.mark.parametrize("threshold", [1024, 5], ids=["one request", "parts"])
@pytest.mark.parametrize(
    ("message", "verb"),
    [(READ_DENIED, "read"), (KEY_DENIED, "read"), (WRITE_DENIED, "write"), ("Access Denied", "write")],
    ids=["object", "key", "target", "not said"],
)
async def test_a_denied_copy_is_reported_at_the_place_that_aws_names(
    source: S3Object,
    target: S3Object,
    copier: MakeCopier,
    faulty: Faulty,
    message: str,
    verb: str,
    threshold: int,
) -> None:
    faulty.fail(
        Fault(
            lambda request: any(operation(each)(request) for each in COPYING),
            403,
            "AccessDenied",
            message=message,
        )
    )
    with pytest.raises(Refused, match="access denied") as caught:
        await copier(threshold=threshold * MIB).copy(source, target)
    assert caught.value.place == f"{verb} {source.bucket if verb == 'read' else target.bucket}"


async def test_after_a_refused_head_a_get_asks_for_the_reason(
    source: S3Object, copier: MakeCopier, faulty: Faulty
) -> None:
    faulty.fail(Fault(operation("HeadObject"), 403, "HidesTheReason"))
    faulty.fail(Fault(operation("GET"), 403, "RequestTimeTooSkewed"))
    with pytest.raises(DependencyDown, match="this machine's clock is wrong"):
        await copier().head(source)
