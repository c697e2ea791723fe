"""What direct calls of SQS and of S3 share: the request, its endpoint, its signature, and errors.

Everything here is botocore's own, or compared with it by the tests of both.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.httpsession import AIOHTTPSession
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from yarl import URL

from orca_daemon.aws.direct_http import FITS, Exchange, Exchanged
from orca_daemon.engine.backoff import Backoff

EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of an empty body."""
RETRY = Backoff(base=1.0, cap=20.0)
"""Between two attempts at a call, as in botocore's mode `standard`."""

OnEnd = Callable[[str, Exception | None, float], None]
"""Called with `service:Operation`, error (None if the call succeeded) and seconds, after a call."""


@dataclass(slots=True)
class Request:
    """A request as botocore's signer and its HTTP session use one; botocore's own class costs 22 µs more."""

    url: str
    headers: dict[str, str]
    body: bytes | None = None
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    stream_output: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and what signs them."""

    url: str
    headers: Mapping[str, str]
    region: str
    service: str
    host: str
    """As in the header `Host`."""


class _Economical(SigV4Auth):
    """botocore's signer, with plain dictionaries of headers, and a signing key that is derived once a day."""

    def __init__(self, credentials: Any, endpoint: Endpoint) -> None:
        super().__init__(credentials, endpoint.service, endpoint.region)
        self._endpoint = endpoint

    def headers_to_sign(self, request: Any) -> Any:
        headers: dict[str, str] | None = request.context.get("signed")
        if headers is None:
            lower = {name.lower(): value for name, value in request.headers.items()}
            lower.pop("user-agent", None)  # proxies may change it
            lower["host"] = self._endpoint.host
            headers = request.context["signed"] = dict(sorted(lower.items()))
        return headers

    def canonical_headers(self, headers_to_sign: Any) -> str:
        return "\n".join(f"{name}:{' '.join(value.split())}" for name, value in headers_to_sign.items())

    def signed_headers(self, headers_to_sign: Any) -> str:
        return ";".join(headers_to_sign)

    def signature(self, string_to_sign: str, request: Any) -> str:
        day = request.context["timestamp"][:8]
        key = _key_of_day(self.credentials.secret_key, day, self._endpoint.region, self._endpoint.service)
        return hmac.digest(key, string_to_sign.encode(), "sha256").hex()


class _OfS3(_Economical, S3SigV4Auth):
    """The signer of S3, for requests without a body."""

    def payload(self, request: Any) -> str:  # noqa: ARG002  botocore's
        return EMPTY_SHA256


def sign(request: Any, credentials: Any, endpoint: Endpoint) -> None:
    """Add the signature to a `Request`; one to S3 must have no body."""
    signer = _OfS3 if endpoint.service == "s3" else _Economical
    signer(credentials, endpoint).add_auth(request)


@lru_cache(maxsize=8)
def _key_of_day(secret: str, day: str, region: str, service: str) -> bytes:
    """AWS: Signature Version 4, derive a signing key."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


async def resolved(client: Any, operation: str, parameters: Mapping[str, Any]) -> Endpoint:
    """Ask botocore for the endpoint of a call."""
    model = client.meta.service_model.operation_model(operation)
    context: dict[str, Any] = {"client_region": client.meta.region_name, "client_config": client.meta.config}
    ruleset = client._resolve_endpoint_ruleset  # noqa: SLF001  as for its own calls
    url, headers, _ = await ruleset(model, dict(parameters), context)
    signing = context.get("signing", {})
    signer = client._request_signer  # noqa: SLF001  as for its own calls
    return Endpoint(
        url=url if url.endswith("/") else url + "/",
        headers={name: ",".join(values) for name, values in headers.items()},
        region=signing.get("region") or signer.region_name,
        service=signing.get("signing_name") or signer.signing_name,
        host=_host(url),
    )


def _host(url: str) -> str:
    """The host in lower case, with the port if it is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in {None, usual} else f"{host}:{parts.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status_code: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Sender:
    """Sends over the connections of a client's own aiohttp session, past what prepares each request."""

    def __init__(self, http_session: Any) -> None:
        self._http = http_session
        self._proxies: dict[str, tuple[str | None, Mapping[str, str]]] = {}
        """By endpoint: URL and headers of the proxy, which botocore reads once, when it makes a client."""
        self._exchanges: dict[str, Exchange] = {}
        """By endpoint, of those without a proxy."""

    async def send(self, request: Request, endpoint: Endpoint) -> Answer:
        """The answer to a signed request.

        Raises:
            HTTPClientError: as aiobotocore reports what aiohttp raises.
        """
        if (proxy := self._proxies.get(endpoint.url)) is None:
            config = self._http._proxy_config  # noqa: SLF001  the client's own
            proxy = config.proxy_url_for(endpoint.url), config.proxy_headers_for(endpoint.url)
            self._proxies[endpoint.url] = proxy
        request.headers["Accept-Encoding"] = "identity"
        try:
            if proxy[0] is None and FITS:
                status, headers, body = await self._exchanged(request, endpoint)
            else:
                status, headers, body = await self._by_session(request, *proxy)
            return Answer(status, {name.decode().lower(): value.decode() for name, value in headers}, body)
        except Exception as error:
            await AIOHTTPSession.send(_Raising(self._http, error), request)
            raise

    async def _exchanged(self, request: Request, endpoint: Endpoint) -> Exchanged:
        if (exchange := self._exchanges.get(endpoint.url)) is None:
            # Without the part of `_get_session` that refuses redirects: nothing here follows one.
            session = await AIOHTTPSession._get_session(self._http, None)  # noqa: SLF001  its pool and TLS
            exchange = self._exchanges[endpoint.url] = Exchange(session, endpoint.url, endpoint.host)
        _, _, rest = request.url.partition("//")
        _, _, target = rest.partition("/")
        return await exchange(request.method, f"/{target}", request.headers, request.body)

    async def _by_session(
        self, request: Request, proxy: str | None, proxy_headers: Mapping[str, str]
    ) -> Exchanged:
        session = await self._http._get_session(proxy)  # noqa: SLF001  the client's own pool and TLS
        response = await session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            proxy=proxy,
            proxy_headers=proxy_headers,
        )
        return Exchanged(response.status, response.raw_headers, await response.read())


class _Raising:
    """An HTTP session whose request raises an error: aiobotocore's `send` turns it into botocore's own."""

    def __init__(self, http_session: Any, error: Exception) -> None:
        self._http, self._error = http_session, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._http, name)

    async def _get_session(self, _: str | None) -> "_Raising":
        return self

    async def request(self, *_: Any, **__: Any) -> Any:
        raise self._error


async def error_of(client: Any, parser: Any, operation: str, answer: Answer) -> ClientError:
    """The exception for an error response, which has passed the hooks of the session."""
    response = {
        "headers": HTTPHeaders.from_dict(answer.headers),
        "status_code": answer.status_code,
        "context": {"operation_name": operation},
        "body": answer.body,
    }
    model = client.meta.service_model.operation_model(operation)
    parsed = await parser.parse(response, model.output_shape)
    service = client.meta.service_model.service_id.hyphenize()
    # Runs what the session registered: the check for redirects, and reading replaced keys.
    await client.meta.events.emit(
        f"response-received.{service}.{operation}",
        response_dict=response,
        parsed_response=parsed,
        context={},
        exception=None,
    )
    return ClientError(parsed, operation)
