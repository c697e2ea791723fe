"""URLs of queues."""

import pytest

from orca_daemon.wire.queue_url import is_legacy, normalised, region_of

HOSTS = {
    "sqs.us-west-2.amazonaws.com": "us-west-2",
    "sqs.us-gov-west-1.amazonaws.com": "us-gov-west-1",
    "sqs.cn-north-1.amazonaws.com.cn": "cn-north-1",
    "sqs.us-iso-east-1.c2s.ic.gov": "us-iso-east-1",
    "sqs-fips.us-east-2.amazonaws.com": "us-east-2",
    "sqs.eu-west-1.api.aws": "eu-west-1",
    "vpce-0a-1b.sqs.ap-southeast-2.vpce.amazonaws.com": "ap-southeast-2",
    "vpce-0a-1b-us-west-2a.sqs.us-west-2.vpce.amazonaws.com": "us-west-2",
    "eu-central-1.queue.amazonaws.com": "eu-central-1",
    "queue.amazonaws.com": "us-east-1",
    "localhost:4566": None,
    "127.0.0.1:1": None,
    "sqs.example.org": None,
    "amazonaws.com": None,
}


@pytest.mark.parametrize(("host", "region"), HOSTS.items(), ids=HOSTS)
def test_the_region_is_read_from_the_host(host: str, region: str | None) -> None:
    assert region_of(f"https://{host}/123456789012/q.fifo") == region


def test_hosts_of_queue_amazonaws_com_are_legacy() -> None:
    assert [host for host in HOSTS if is_legacy(f"https://{host}/1/q")] == [
        "eu-central-1.queue.amazonaws.com",
        "queue.amazonaws.com",
    ]


@pytest.mark.parametrize("end", ["", "/", "\n", "/\n", " ", "//"], ids=repr)
def test_blanks_newlines_and_slashes_at_the_end_are_removed(end: str) -> None:
    assert (
        normalised(f"https://sqs.us-west-2.amazonaws.com/1/q{end}")
        == "https://sqs.us-west-2.amazonaws.com/1/q"
    )
