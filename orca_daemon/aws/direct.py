"""Connections to AWS that go where the endpoint says: no redirect of HTTP is followed.

aiohttp follows them where botocore does not: the token of the session, and with 307 the body of a message,
would go to whatever host a proxy names, and its answer would be taken for AWS's.  What S3 means by one
(another region) botocore finds out by itself.
"""

from typing import Any

from aiobotocore.httpsession import AIOHTTPSession


class _Direct:
    def __init__(self, session: Any) -> None:
        self._session = session

    def request(self, *args: Any, **named: Any) -> Any:
        return self._session.request(*args, allow_redirects=False, **named)


class DirectSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """For `AioConfig.http_session_cls`."""

    async def _get_session(self, proxy_url: str | None) -> _Direct:
        # aiobotocore has no option for it.
        return _Direct(await super()._get_session(proxy_url))
