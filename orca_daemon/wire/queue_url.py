"""URLs of queues: host, region, and which URLs mean the same queue (AWS: SQS endpoints and quotas)."""

import re
from urllib.parse import urlsplit

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d+"
_HOST = re.compile(
    rf"(?:^|\.)sqs(?:-fips)?\.(?P<region>{_REGION})\.|^(?P<legacy>{_REGION})\.queue\.amazonaws\."
)
"""Hosts of SQS, of its FIPS and VPC endpoints in any partition, and of its legacy endpoints."""
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_OLDEST = "queue.amazonaws.com"
"""The legacy endpoint of us-east-1."""


def normalised(url: str) -> str:
    """The URL without blanks, newlines and slashes at its ends, as secrets and typing may add them."""
    return url.strip().rstrip("/")


def is_fifo(url: str) -> bool:
    """Whether it is the URL of a FIFO queue, whose name ends with `.fifo` (AWS: SQS CreateQueue)."""
    return normalised(url).endswith(".fifo")


def identity(url: str) -> tuple[str, str]:
    """A key that is equal for all URLs of one queue.

    It consists of the region for a queue of AWS, else of host and port, and of the path (account and name).
    """
    parts = urlsplit(normalised(url))
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    region = region_of(url) if host.endswith(_AWS_DOMAINS) else None
    return region or f"{host}:{port}", parts.path


def host_of(url: str) -> str:
    """Host and port of the URL."""
    return urlsplit(url).netloc


def region_of(url: str) -> str | None:
    """The region in the host's name; None if it has none, as with LocalStack or a proxy."""
    host = urlsplit(url).hostname or ""
    if host == _OLDEST:
        return "us-east-1"
    match = _HOST.search(host)
    return (match["region"] or match["legacy"]) if match else None


def is_legacy(url: str) -> bool:
    """Whether the host is one of SQS's legacy endpoints."""
    return ".queue.amazonaws." in f".{urlsplit(url).hostname or ''}"
