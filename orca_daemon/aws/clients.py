"""The AWS clients of the process: one session, one client for each role.

Long polls have a client of their own: in a shared connection pool they would starve the other calls.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiobotocore.config import AioConfig
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoRegionError,
)

from orca_daemon import __version__
from orca_daemon.aws.authorities import AuthoritiesError, check_authorities
from orca_daemon.aws.session import NoRedirectSession, checked_session, reload_refused_credentials
from orca_daemon.settings import AwsSection, Settings, SettingsError

NO_REGION = "no AWS region is known: set AWS_REGION, or aws.region (ORCA_AWS__REGION)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """aiobotocore clients; leaving the context of `connect` closes them all."""

    poll: Any
    """SQS, for receives."""
    control: Any
    """SQS, for everything else."""
    s3: Any
    secrets: Any
    ssm: Any
    sts: Any
    states: Any
    """Step Functions, for the tasks that wait for a restore."""


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Clients]:
    """Make the clients.  No request is sent yet: wrong credentials are noticed at the first call.

    Raises:
        SettingsError: the settings, or AWS's own variables and files, do not suffice to make a client.
        CredentialRetrievalError, MetadataRetrievalError: the source of the credentials does not answer now.
    """
    engine, copies = settings.engine, settings.copies
    polls = sum(queue.pollers for queue in settings.bound.values()) + 2
    roles: dict[str, tuple[str, dict[str, Any]]] = {
        "poll": ("sqs", _options(pool=polls, read=engine.wait + 10, tries=1)),
        "control": ("sqs", _options(pool=32, read=10, tries=4)),
        # A CopyObject of 5 GiB answers only when it is done, after minutes.
        "s3": ("s3", _options(pool=copies.parts + 8, read=900, tries=4).merge(SIGNED_URLS)),
        "secrets": ("secretsmanager", _options(pool=2, read=10, tries=4)),
        "ssm": ("ssm", _options(pool=2, read=10, tries=4)),
        "sts": ("sts", _options(pool=2, read=10, tries=2)),
        "states": ("stepfunctions", _options(pool=8, read=10, tries=4)),
    }
    session = checked_session()
    reload_refused_credentials(session)
    async with AsyncExitStack() as stack:
        try:
            check_authorities(session)
            clients = {
                role: await stack.enter_async_context(
                    session.create_client(
                        service,
                        region_name=settings.aws.region,
                        endpoint_url=endpoint(settings.aws, service),
                        config=config,
                    )
                )
                for role, (service, config) in roles.items()
            }
        except (CredentialRetrievalError, MetadataRetrievalError):
            raise  # the source of the credentials may answer later, so the caller tries again
        except NoRegionError as error:
            raise SettingsError([NO_REGION]) from error
        except AuthoritiesError as error:
            raise SettingsError([str(error)]) from error
        except (BotoCoreError, ValueError) as error:  # an invalid region, profile or endpoint
            raise SettingsError([f"AWS cannot be used as it is set up: {error}"]) from error
        yield Clients(**clients)


def endpoint(aws: AwsSection, service: str) -> str | None:
    """The endpoint that the settings name for a service; with None, botocore's own chain decides."""
    return (aws.sqs_endpoint_url or aws.endpoint_url) if service == "sqs" else aws.endpoint_url


# By default botocore presigns URLs with signature version 2, which S3 refuses for objects encrypted with KMS.
SIGNED_URLS = AioConfig(signature_version="s3v4")


def _options(*, pool: int, read: float, tries: int) -> AioConfig:
    return AioConfig(
        # botocore would build this string twice per call, at 14 % of the client's processor time (measured).
        user_agent=f"orca-daemon/{__version__}",
        http_session_cls=NoRedirectSession,
        parameter_validation=False,
        max_pool_connections=pool,
        connect_timeout=5,
        read_timeout=read,
        retries={"total_max_attempts": tries, "mode": "standard"},
    )
