"""Which queue a URL names: SQS has several spellings for one."""

import re
from urllib.parse import urlsplit

# Regional, FIPS, dual-stack, VPC and legacy endpoints (AWS General Reference: SQS endpoints).
_HOSTS = (
    re.compile(r"sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$"),
    re.compile(r".*\.sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?$"),
    re.compile(r"(?:(?P<region>[a-z0-9-]+)\.)?queue\.amazonaws\.com(?:\.cn)?$"),
)
_LEGACY_REGION = "us-east-1"
_PORTS = {"http": 80, "https": 443}


def identity(url: str) -> tuple[str, str]:
    """Equal for URLs of one queue: region, or host and port outside AWS, and the path (account and name)."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path.rstrip("/")
    for pattern in _HOSTS:
        if found := pattern.match(host):
            return found["region"] or _LEGACY_REGION, path
    return f"{host}:{parts.port or _PORTS.get(parts.scheme)}", path
