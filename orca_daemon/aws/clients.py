"""The AWS clients of the process: one session, one client for each role.

Long polls have a client of their own: in a shared connection pool they would starve the other calls.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoRegionError,
)

from orca_daemon import __version__
from orca_daemon.aws import direct_s3
from orca_daemon.aws.authorities import AuthoritiesError, check_authorities
from orca_daemon.aws.direct_calls import DirectCalls, applicable
from orca_daemon.aws.direct_s3 import DirectS3
from orca_daemon.aws.late_client import LateClient, drop_documentation, read_model
from orca_daemon.aws.s3copy.window import MOST
from orca_daemon.aws.session import NoRedirectSession, checked_session, reload_refused_credentials
from orca_daemon.settings import AwsSection, Settings, SettingsError

_USER_AGENT = f"orca-daemon/{__version__}"
_TRIES = {"poll": 1, "control": 4}
"""Attempts at a call, by role; a receive is repeated by its poller."""
NO_REGION = "no AWS region is known: set AWS_REGION, or aws.region (ORCA_AWS__REGION)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """aiobotocore clients; leaving the context of `connect` closes them all."""

    poll: Any
    """SQS, for receives."""
    control: Any
    """SQS, for everything else."""
    s3: Any
    secrets: LateClient
    ssm: LateClient
    sts: LateClient
    states: LateClient
    """Step Functions, for the tasks that wait for a restore."""
    direct: tuple[DirectCalls | DirectS3, ...] = ()
    """The hot calls of `poll`, `control` and `s3`, if they do not go through aiobotocore."""


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Clients]:
    """Make the clients, some of them at their first call.

    No request is sent yet: wrong credentials are noticed at the first call.

    Raises:
        SettingsError: the settings, or AWS's own variables and files, do not suffice to make a client.
        CredentialRetrievalError, MetadataRetrievalError: the source of the credentials does not answer now.
    """
    engine, copies = settings.engine, settings.copies
    polls = sum(queue.pollers for queue in settings.bound.values()) + 2
    roles: dict[str, tuple[str, AioConfig]] = {
        "poll": ("sqs", _options(pool=polls, read=engine.wait + 10, tries=_TRIES["poll"])),
        "control": ("sqs", _options(pool=32, read=10, tries=_TRIES["control"])),
        # A CopyObject of 5 GiB answers only when it is done, after minutes.
        "s3": ("s3", _options(pool=(copies.parts or MOST) + 8, read=900, tries=4).merge(SIGNED_URLS)),
    }
    late = {
        "secrets": ("secretsmanager", _options(pool=2, read=10, tries=4)),
        "ssm": ("ssm", _options(pool=2, read=10, tries=4)),
        "sts": ("sts", _options(pool=2, read=10, tries=2)),
        "states": ("stepfunctions", _options(pool=8, read=10, tries=4)),
    }
    session = checked_session()
    reload_refused_credentials(session)
    async with AsyncExitStack() as stack:

        async def make(service: str, config: AioConfig) -> Any:
            return await stack.enter_async_context(
                session.create_client(
                    service,
                    region_name=settings.aws.region,
                    endpoint_url=endpoint(settings.aws, service),
                    config=config,
                )
            )

        async def make_late(service: str, config: AioConfig) -> Any:
            await read_model(session, service)
            return await make(service, config)

        try:
            check_authorities(session)
            clients = {role: await make(service, config) for role, (service, config) in roles.items()}
            for service in {service for service, _ in roles.values()}:
                drop_documentation(session, service)
        except (CredentialRetrievalError, MetadataRetrievalError):
            raise  # the source of the credentials may answer later, so the caller tries again
        except NoRegionError as error:
            raise SettingsError([NO_REGION]) from error
        except AuthoritiesError as error:
            raise SettingsError([str(error)]) from error
        except (BotoCoreError, ValueError) as error:  # an invalid region, profile or endpoint
            raise SettingsError([f"AWS cannot be used as it is set up: {error}"]) from error
        later = {role: LateClient(partial(make_late, *made_of)) for role, made_of in late.items()}
        direct = _direct(clients, session) if settings.aws.direct_calls else ()
        for each in direct:
            each.replace()
        yield Clients(**clients, **later, direct=direct)


def _direct(clients: Mapping[str, Any], session: Any) -> tuple[DirectCalls | DirectS3, ...]:
    """The direct calls of the clients that sign as these do."""
    sqs = [
        DirectCalls(clients[role], session, user_agent=_USER_AGENT, tries=tries)
        for role, tries in _TRIES.items()
        if applicable(clients[role])
    ]
    s3 = clients["s3"]
    return (*sqs, *([DirectS3(s3, session, user_agent=_USER_AGENT)] if direct_s3.applicable(s3) else ()))


def endpoint(aws: AwsSection, service: str) -> str | None:
    """The endpoint that the settings name for a service; with None, botocore's own chain decides."""
    return (aws.sqs_endpoint_url or aws.endpoint_url) if service == "sqs" else aws.endpoint_url


# By default botocore presigns URLs with signature version 2, which S3 refuses for objects encrypted with KMS.
SIGNED_URLS = AioConfig(signature_version="s3v4")


def _options(*, pool: int, read: float, tries: int) -> AioConfig:
    return AioConfig(
        # botocore would build this string twice per call, at 14 % of the client's processor time (measured).
        user_agent=_USER_AGENT,
        http_session_cls=NoRedirectSession,
        parameter_validation=False,
        max_pool_connections=pool,
        connect_timeout=5,
        read_timeout=read,
        retries={"total_max_attempts": tries, "mode": "standard"},
    )
