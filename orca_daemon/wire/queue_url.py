"""What the URL of a queue says: its name, and the region that it is in (AWS: SQS endpoints and quotas)."""

import re
from urllib.parse import urlsplit

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d+"
_HOST = re.compile(
    rf"(?:^|\.)sqs(?:-fips)?\.(?P<region>{_REGION})\.|^(?P<legacy>{_REGION})\.queue\.amazonaws\."
)
"""Of the service, of its FIPS and VPC endpoints in any partition, and of the legacy endpoints."""
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_OLDEST = "queue.amazonaws.com"
"""The legacy endpoint of us-east-1."""


def normalised(url: str) -> str:
    """The URL without what secrets and typing add at its ends: blanks, a newline, a slash."""
    return url.strip().rstrip("/")


def identity(url: str) -> tuple[str, str]:
    """Equal for the spellings of one queue: region at AWS, host and port elsewhere, and account and name."""
    parts = urlsplit(normalised(url))
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = region_of(url) if host.endswith(_AWS) else None
    return place or f"{host}:{port}", parts.path


def host_of(url: str) -> str:
    """Host and port."""
    return urlsplit(url).netloc


def region_of(url: str) -> str | None:
    """The region that the host names; None where it names none, as behind an endpoint of one's own."""
    host = urlsplit(url).hostname or ""
    if host == _OLDEST:
        return "us-east-1"
    found = _HOST.search(host)
    return (found["region"] or found["legacy"]) if found else None


def is_legacy(url: str) -> bool:
    """Whether the host is an older name of the same service."""
    return ".queue.amazonaws." in f".{urlsplit(url).hostname or ''}"
