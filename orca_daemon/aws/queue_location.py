"""Whether the requests for a queue go where its URL says.

SQS's clients send every request to their own endpoint, whatever host the queue's URL has.
"""

from typing import Any

from orca_daemon.wire.queue_url import host_of, is_legacy, region_of


def other_region(url: str, sqs: Any) -> str | None:
    """A sentence where the queue is in another region than the client; None where it is not."""
    region, ours = region_of(url), sqs.meta.region_name
    if region is None or region == ours:
        return None
    return f"{url} is in {region}, and requests go to {ours}: set AWS_REGION={region}, or correct the URL"


def other_host(url: str, sqs: Any) -> str | None:
    """A sentence where requests go to another host than the URL's; None where they do not."""
    endpoint = str(sqs.meta.endpoint_url)
    if host_of(url) == host_of(endpoint) or (is_legacy(url) and region_of(url) == region_of(endpoint)):
        return None
    return f"requests go to {endpoint}, not to {host_of(url)}, the host of the queue's URL"
