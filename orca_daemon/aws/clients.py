"""The AWS clients of the process: one session, one client for each role.

Long polls have a client of their own, because on a shared pool they starve the control calls.
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
from orca_daemon.aws import rotated
from orca_daemon.aws.authorities import AuthoritiesError, checked
from orca_daemon.aws.direct import DirectSession
from orca_daemon.aws.proof import session
from orca_daemon.settings import AwsSection, Settings, SettingsError

NO_REGION = "no AWS region is known: set AWS_REGION or ORCA_AWS__REGION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """aiobotocore clients; all of them are closed with the context that made them."""

    poll: Any
    """SQS, for receives."""
    control: Any
    """SQS, for everything else."""
    s3: Any
    secrets: Any
    ssm: Any
    sts: Any


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Clients]:
    """Make the clients.  Nothing is called yet: wrong credentials show at the first call.

    Raises:
        SettingsError: no client can be made of them and of AWS's own variables and files.
    """
    engine, copies = settings.engine, settings.copies
    polls = sum(queue.pollers for queue in settings.bound.values()) + 2
    roles: dict[str, tuple[str, dict[str, Any]]] = {
        "poll": ("sqs", _options(pool=polls, read=engine.wait + 10, tries=1)),
        "control": ("sqs", _options(pool=32, read=10, tries=4)),
        # CopyObject of 5 GiB answers when it is done, which takes minutes.
        "s3": ("s3", _options(pool=copies.parts + 8, read=900, tries=4).merge(_SIGNED_URLS)),
        "secrets": ("secretsmanager", _options(pool=2, read=10, tries=4)),
        "ssm": ("ssm", _options(pool=2, read=10, tries=4)),
        "sts": ("sts", _options(pool=2, read=10, tries=2)),
    }
    proven = session()
    rotated.watch(proven)
    async with AsyncExitStack() as stack:
        try:
            checked(proven)
            made = {
                role: await stack.enter_async_context(
                    proven.create_client(
                        service,
                        region_name=settings.aws.region,
                        endpoint_url=endpoint(settings.aws, service),
                        config=config,
                    )
                )
                for role, (service, config) in roles.items()
            }
        except (CredentialRetrievalError, MetadataRetrievalError):
            raise  # whoever hands them out may do so in a moment
        except NoRegionError as error:
            raise SettingsError([NO_REGION]) from error
        except AuthoritiesError as error:
            raise SettingsError([str(error)]) from error
        except (BotoCoreError, ValueError) as error:  # a region, a profile or an endpoint that is none
            raise SettingsError([f"AWS cannot be used as it is set up: {error}"]) from error
        yield Clients(**made)


def endpoint(aws: AwsSection, service: str) -> str | None:
    """The endpoint that the settings name for a service; None leaves it to botocore's chain."""
    return (aws.sqs_endpoint_url or aws.endpoint_url) if service == "sqs" else aws.endpoint_url


# Without it, botocore signs URLs the old way, which does not open objects that a key of KMS encrypts.
_SIGNED_URLS = AioConfig(signature_version="s3v4")


def _options(*, pool: int, read: float, tries: int) -> AioConfig:
    return AioConfig(
        # Built twice per call otherwise, at 14 % of the client's processor time (measured).
        user_agent=f"orca-daemon/{__version__}",
        http_session_cls=DirectSession,
        parameter_validation=False,
        max_pool_connections=pool,
        connect_timeout=5,
        read_timeout=read,
        retries={"total_max_attempts": tries, "mode": "standard"},
    )
