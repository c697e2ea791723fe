"""Every setting, its type and default; the environment name of `section.key` is `ORCA_<SECTION>__<KEY>`."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)

from orca_daemon.settings.buckets import contradictions
from orca_daemon.settings.conflicts import SettingsConflictError
from orca_daemon.settings.corrections import Correction
from orca_daemon.wire.destinations import PatternError, pattern
from orca_daemon.wire.queue_url import host_of, identity, normalised
from orca_daemon.wire.restore import Tier
from orca_daemon.wire.status import Grouping


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("must be a JSON object") from None


def _http_url(url: str) -> str:
    if not re.match(r"https?://[^/]+", url):
        raise ValueError("must be a URL that begins with http:// or https://")
    if "@" in host_of(url):
        # Requests are signed, so nothing needs a password here, and the URL is logged.
        raise ValueError("must be a URL without a user and a password")
    return url


def _not_empty(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if not all(patterns) or not patterns:
        raise ValueError("must name buckets, or be left out")
    return patterns


def _reference(text: str) -> str:
    if not re.match(r"(ssm|secret):.", text):
        raise ValueError("must be ssm:NAME or secret:ARN")
    return text


def _table_name(name: str) -> str:
    if not name or "/" in name:
        raise ValueError("must have a name that is not empty and has no slash")
    return name


def _namespace(name: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_./#:-]{1,255}", name) or name.startswith("AWS/"):
        raise ValueError("must be up to 255 letters, digits and ./#:_-, and not begin with AWS/")
    return name


def _dimension(value: str) -> str:
    # CloudWatch takes 1,024 printable characters of ASCII (API reference, Dimension).
    if not re.fullmatch(r"[!-9;-~][ -~]{0,254}", value):
        raise ValueError("must be up to 255 printable characters of ASCII, and not begin with a colon")
    return value


def _patterns(destinations: dict[str, str]) -> dict[str, str]:
    for expression in destinations:
        try:
            pattern(expression)
        except PatternError as error:
            raise ValueError(f"the pattern {expression} {error}") from None
    return destinations


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port) or int(port) > _LAST_PORT:
        raise ValueError("must be ADDRESS:PORT, such as 127.0.0.1:9465 or [::1]:9465")
    if host != "localhost":
        bracketed = host.startswith("[") and host.endswith("]")
        try:
            address = ip_address(host[1:-1] if bracketed else host)
        except ValueError:
            address = None
        if address is None or bracketed != (address.version == 6):  # noqa: PLR2004  its name is a number
            raise ValueError("must be ADDRESS:PORT, such as 127.0.0.1:9465 or [::1]:9465")
    return text


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name):
        raise ValueError("must be the name of a header: letters, digits and hyphens")
    return name


def _visitor_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
        raise ValueError("must have a name of letters, digits and . _ @ - only")
    return name


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError("must be addresses or networks, such as 10.0.0.7 or 10.0.0.0/24") from None
    return texts


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
Buckets = Annotated[Names, AfterValidator(_not_empty)]
"""Names of buckets, or patterns with `*`, `?` and `[…]`."""
HttpUrl = Annotated[str, AfterValidator(_http_url)]
QueueUrl = Annotated[HttpUrl, AfterValidator(normalised)]
_LAST_PORT = 65_535
Listen = Annotated[str, AfterValidator(_listen)]
"""Address and port."""
Networks = Annotated[Names, AfterValidator(_networks)]
"""Addresses, or networks as `10.0.0.0/24`."""
HeaderName = Annotated[str, AfterValidator(_header_name)]
"""Name of a header of HTTP."""
VisitorName = Annotated[str, AfterValidator(_visitor_name)]
"""Name of a person or program, as the record of actions shows it."""
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
SecretReference = Annotated[str, AfterValidator(_reference)]
"""Names a value in Parameter Store or Secrets Manager."""


class Section(BaseModel):
    """A table of the settings file; unknown keys are a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class AwsSection(Section):
    """How AWS is reached; credentials come from botocore's own chain, never from here."""

    region: str | None = None
    """Region (`AWS_REGION`); default: botocore's chain (`AWS_DEFAULT_REGION`, profile, …)."""
    endpoint_url: HttpUrl | None = None
    """Endpoint of every service but SQS, for LocalStack and the like."""
    sqs_endpoint_url: HttpUrl | None = None
    """Endpoint of SQS; default: `endpoint_url`."""
    direct_calls: bool = True
    """Receive, delete, extend and send, and the calls of S3 that copies make, past aiobotocore's layers, for
    less than half of its CPU time; `false` goes back to aiobotocore.
    """
    embedded: bool = False
    """Whether these are queues and buckets of `orca-daemon local`: then nobody advises to restrict them."""


class DatabaseSection(Section):
    """Where Postgres is: a URL, a secret, or parts.  Values may be `ssm:NAME` or `secret:ARN`."""

    url: SecretStr | None = None
    """`postgresql://user:password@host:port/database`; several hosts as libpq or SQLAlchemy write them."""
    secret_arn: str | None = None
    """Secret with ORCA's keys (`user_username`, …) or RDS's own (`username`, …)."""
    prefix: str | None = None
    """Deployment prefix: the secret is `<prefix>-orca-db-login-secret`."""
    host: str | None = None
    """Host of Postgres."""
    port: Port | SecretReference = 5432
    """Its port."""
    name: str | None = None
    """Name of the database."""
    user: str | None = None
    """Role to connect as: a member of `orca_app`."""
    password: SecretStr | None = None
    """Its password; better as `secret:ARN` or `ssm:NAME` than as text."""
    pool_size: Count = 8
    """Connections for short transactions; as many threads serve them."""
    pool_timeout: Seconds = 5.0
    """Seconds to wait for a free connection."""
    statement_timeout: Seconds = 30.0
    """Seconds that one statement may take; streams of COPY have no limit."""
    lock_timeout: Seconds = 10.0
    """Seconds to wait for a lock."""
    connect_timeout: Seconds = 5.0
    """Seconds to wait for a new connection."""
    application_name: str = "orca-daemon"
    """Name that `pg_stat_activity` shows."""
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    """TLS as libpq names it; only `verify-full` verifies the server.  Default: the URL's, else `prefer`."""
    sslrootcert: str | None = None
    """File with the authorities to trust, such as RDS's bundle, or `system`."""
    sslcert: str | None = None
    """File with a client certificate, if the server requires one."""
    sslkey: str | None = None
    """File with the key of the client certificate."""

    @property
    def configured(self) -> bool:
        """Whether a setting names the database."""
        return bool(self.url or self.secret_arn or self.prefix or self.host)


class QueueSection(Section):
    """One queue, bound to a route.  A queue without a URL is off."""

    url: QueueUrl | None = None
    """The queue's URL; without one the queue is off."""
    route: str | None = None
    """Name of the route that handles it; default: the queue's own name."""
    concurrency: Count | None = None
    """Runs of messages at work at one time; default: the route's."""
    max_attempts: Count | None = None
    """Attempts before the dead-letter queue; default: the route's."""
    pollers: Annotated[int, Field(ge=1, le=32)] = 4
    """Largest number of concurrent receives; an idle queue has one."""
    paused: bool = False
    """Receive nothing from it; what was received is finished.  SIGHUP reads this setting again."""
    grouping: Grouping = Grouping.QUEUE
    """Message groups of status updates: `queue`, one for all as in ORCA, or `granule`, one for each granule.

    Every producer of this queue must use the same value; mixing them breaks per-granule ordering.
    """


class EngineSection(Section):
    """How messages are received and released; times are in seconds."""

    lease: Annotated[float, Field(ge=6, le=43_200)] = 120.0
    """How long a received message stays hidden; extended after a third of this time, again and again."""
    wait: Annotated[float, Field(ge=1, le=20)] = 10.0
    """Length of a long poll; with short polls the daemon would ask an empty queue without a pause."""
    held: Count = 1000
    """Largest number of messages in flight per queue: at work, waiting, or between attempts."""
    held_bytes: Annotated[int, Field(ge=1_048_576)] = 268_435_456
    """Largest number of bytes of bodies in flight, over all queues; each queue may use an equal part."""
    drain_seconds: Annotated[float, Field(ge=0)] = 50.0
    """How long running work may go on after SIGTERM."""
    settle_linger: Annotated[float, Field(ge=0, le=5)] = 0.05
    """How long (seconds) to wait before sending a delete, so that up to ten deletes share one request."""
    patience: Annotated[float, Field(ge=60, le=36_000)] = 14_400.0
    """How long a message that alone fails at S3 waits, charged no attempt, before it is dead-lettered."""


class RecoverySection(Section):
    """What happens to restored objects."""

    event_grace: Annotated[float, Field(ge=0)] = 900.0
    """How many seconds an S3 event may arrive before its `new_job`."""
    unknown_keys: Literal["reject", "route"] = "reject"
    """What to do after that with an event whose object is in no job: `reject` it, or `route`: copy it by rule
    (for disaster recovery; without a database, at once).
    """
    protected_bucket: str | None = None
    """Disaster recovery: where data files go."""
    public_bucket: str | None = None
    """Disaster recovery: where all other files go."""
    data_extensions: Names = (".hdf", ".h5", ".nc", ".nc4", ".he5", ".tif")
    """Disaster recovery: extensions of data files."""
    bucket_map: Annotated[dict[str, str], BeforeValidator(_json_object)] = Field(default_factory=dict)
    """Disaster recovery: extension to bucket, with the fallback `other`; wins over the two buckets."""
    status_url: QueueUrl | None = None
    """Queue that progress is posted to; default: the URL of the queue `status_update`."""

    @model_validator(mode="after")
    def _has_destinations(self) -> "RecoverySection":
        if self.unknown_keys == "route" and not (
            self.bucket_map or self.protected_bucket or self.public_bucket
        ):
            raise SettingsConflictError(
                (
                    "recovery.unknown_keys",
                    (
                        "is route: set recovery.bucket_map (ORCA_RECOVERY__BUCKET_MAP), or "
                        "recovery.protected_bucket and recovery.public_bucket"
                    ),
                )
            )
        return self


class RestoreSection(Section):
    """How objects of the archive are restored, and how much may be.  Beyond a limit a message is refused."""

    tier: Tier = Tier.STANDARD
    """Tier of a request that names none: Standard, Bulk or Expedited (ORCA: `DEFAULT_RECOVERY_TYPE`)."""
    tiers: Annotated[tuple[Tier, ...], BeforeValidator(_comma_separated)] = tuple(Tier)
    """Tiers that a request may name."""
    expedited_fallback: bool = False
    """If S3 has no capacity for Expedited, ask for Standard; else the message waits for capacity."""
    days: Annotated[int, Field(ge=1, le=36_500)] = 5
    """Days for which S3 keeps a restored copy (ORCA: `RESTORE_EXPIRE_DAYS`)."""
    bucket: str | None = None
    """Archive of a request that names none (ORCA: `ORCA_DEFAULT_BUCKET`)."""
    sources: Buckets | None = None
    """Archive buckets that a request may name: names or patterns (`*`).
    Default: those of `copies.sources`.
    """
    targets: Buckets | None = None
    """Buckets that a request may name as destinations.  Default: those of `copies.targets`."""
    max_files: Count = 100_000
    """Largest number of files of one message."""
    max_bytes: Count = 10 * 1024**4
    """Largest number of bytes that one message may restore; 10 TiB."""
    bytes_per_day: Count | None = None
    """Largest number of bytes that all daemons together restore in one day (UTC).  Default: no limit."""
    per_second: Seconds = 100.0
    """Restore requests that one daemon sends to S3 per second, at most."""
    retries: Annotated[int, Field(ge=0)] = 3
    """Further attempts at a request that failed (ORCA: `RESTORE_REQUEST_RETRIES`)."""
    retry_sleep: Annotated[float, Field(ge=0)] = 1.0
    """Base of the backoff between them, seconds (ORCA: `RESTORE_RETRY_SLEEP_SECS`)."""
    heartbeat: Seconds = 60.0
    """Seconds between two heartbeats to a state machine that waits for an answer."""
    record_days: Annotated[int, Field(ge=0)] = 90
    """Days for which the record of a file is kept after its restore was asked for and its restored copy
    expired, if its job is final; 0 keeps it.  A request that is repeated later is a new one.
    """
    recovery_url: QueueUrl | None = None
    """Queue where readable objects are announced, to be copied at once (ORCA: `ARCHIVE_RECOVERY_QUEUE_URL`);
    default: the URL of the queue `recovery`.
    """
    destinations: Annotated[dict[str, str], BeforeValidator(_json_object), AfterValidator(_patterns)] = Field(
        default_factory=dict
    )
    """Where an operator's restores go, if the operator names no bucket: regular expression, found in the
    filename, to bucket.  The first that fits counts.
    """

    @model_validator(mode="after")
    def _allows_its_own_tier(self) -> "RestoreSection":
        if self.tier not in self.tiers:
            text = "does not have restore.tier, so every request that names no tier would be refused"
            raise SettingsConflictError(("restore.tiers", text))
        return self


class CopiesSection(Section):
    """What may be copied, and how."""

    sources: Buckets | None = None
    """Archive buckets, from which files are copied: names or patterns (`*`).  Nothing is copied to them.
    Default: any bucket.
    """
    targets: Buckets | None = None
    """Buckets to which files are copied: names or patterns.  Default: any bucket, except those of `sources`,
    `export.bucket` and `reconcile.sources`.
    """
    attempts: Count = 3
    """Attempts of a copy (ORCA: `COPY_RETRIES`)."""
    retry_sleep: Annotated[float, Field(ge=0)] = 1.0
    """Base of the backoff between them (ORCA: `COPY_RETRY_SLEEP_SECS`)."""
    files: Count | None = None
    """Files copied at one time.  Default: up to 256, of which 16 in parts."""
    parts: Count | None = None
    """Requests to S3 at one time, over all files (ORCA: `DEFAULT_MAX_CONCURRENCY`).  Default: 32 at first,
    more while S3 answers, up to 256, and half as many whenever it asks to slow down.
    """
    chunk_mib: Annotated[int, Field(ge=5, le=5120)] = 250
    """Part size, MiB (ORCA: `DEFAULT_MULTIPART_CHUNKSIZE_MB`), larger if an object would need more than
    10,000 parts.
    """
    threshold_mib: Annotated[int, Field(ge=5, le=5120)] = 1024
    """Largest size, MiB, that is copied by one CopyObject."""
    abandoned_after: Seconds = 60.0
    """Seconds without a new part after which an upload to the same key counts as abandoned and is aborted."""
    storage_class: str = "STANDARD"
    """Storage class of the copies; the source's class would archive them again, so it is never used."""
    kms_key_id: str | None = None
    """Encrypt copies with this key; default: the target bucket's own encryption."""


def _stage(text: str) -> str:
    if not re.fullmatch(r"s3a?://[^/]+/.+|file:///.+", text):
        raise ValueError("must be s3://bucket/prefix or file:///directory")
    return text


class ReconcileSection(Section):
    """Comparison of S3 Inventory with the catalog."""

    memory_mib: Annotated[int, Field(ge=512)] = 1024
    """Memory of the child process, MiB; a comparison that needs more (at 1024, of some 10 million files) also
    uses `work_dir`.
    """
    threads: Count = 2
    """Threads of the child process."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    """What compares: DuckDB on this machine, or a Spark cluster."""
    spark_remote: SecretStr | None = None
    """URL of the Spark Connect server, `sc://host:port/;token=...`, for the engine `spark`."""
    stage: Annotated[str, AfterValidator(_stage)] | None = None
    """Where the daemon and Spark exchange files: `s3://bucket/prefix`, or `file:///directory` on a shared
    disk.
    """
    readers: Annotated[int, Field(ge=1, le=16)] = 2
    """Connections that read the catalog at the same time."""
    work_dir: Path | None = None
    """Directory for what does not fit into memory; default: the system's temporary directory."""
    listing_gib: Count = 1024
    """Largest unpacked size of an inventory's data files, GiB; 1024 are some five billion objects."""
    sources: Buckets | None = None
    """Report and archive buckets that a message may name: names or patterns (`*`).  Default: any bucket."""
    deadline: Seconds = 36_000.0
    """Seconds after which a comparison is killed."""
    race_window: Annotated[float, Field(ge=0)] = 86_400.0
    """Files catalogued less than this many seconds before the inventory was taken are not reported as
    phantoms. 0 reports all of them, as ORCA does.
    """
    allow_empty: bool = False
    """Accept an empty inventory of a bucket that is not empty in the catalog."""
    expire_days: Annotated[int, Field(ge=0)] = 30
    """Days after which jobs and reports are removed; 0 keeps them."""


TableName = Annotated[str, AfterValidator(_table_name)]
"""Name of an entry; the keys of its files begin with it."""


class ExportTable(Section):
    """One table that may be exported."""

    table: str | None = None
    """Name in the source, with its schema if needed; quote a part with a dot.  Default: the entry's name."""
    column: str = "last_updated"
    """Column with the time of a row's last change."""


class ExportSection(Section):
    """Copies of tables to Parquet in S3."""

    bucket: str | None = None
    """Bucket for the files."""
    preset: Literal["orca", "none"] = "orca"
    """Tables that may be exported without an entry of their own."""
    tables: Annotated[dict[TableName, ExportTable], BeforeValidator(_json_object)] = Field(
        default_factory=dict
    )
    """Further tables that may be exported; messages and keys use the name of the entry."""
    source_url: SecretStr | None = None
    """Postgres to export from; default: the application's database."""
    source_secret: str | None = None
    """Secret with the address of that Postgres."""
    overlap_days: Annotated[float, Field(ge=0, le=36_500)] = 14.0
    """How far back a run looks for rows that earlier snapshots could not see."""
    row_group: Count = 122_880
    """Largest number of rows of a row group; it is smaller if rows are large."""
    readers: Annotated[int, Field(ge=1, le=16)] | None = None
    """Connections that read one large table at the same time; default: one for every two processors of the
    machine, and four at most.
    """
    numeric_scale: Annotated[int, Field(ge=0, le=38)] | None = None
    """Digits after the point for `numeric` columns without a declared scale; default: they become text."""


class HttpSection(Section):
    """The port for metrics and health."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address to listen on; containers set `0.0.0.0`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port to listen on; 0 takes a free port, which is logged."""


class LogSection(Section):
    """Logs go to standard output."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """Lowest level that is logged; SIGHUP reads this setting again."""
    format: Literal["json", "console"] = "json"
    """`json`, one object per line, or `console`, lines for people."""


class ConsoleSection(Section):
    """The web pages for operators and ORCA's read API: `orca-daemon console`."""

    listen: Listen = "127.0.0.1:9465"
    """Address and port to listen on; port 0 takes a free port, which is logged.  Any address but loopback
    needs tokens, or trusted proxies.
    """
    actions: bool = False
    """Whether visitors with a token may act: pause, recover, send back, and so on.  Else pages only show."""
    tokens: Annotated[dict[VisitorName, SecretStr], BeforeValidator(_json_object)] = Field(
        default_factory=dict
    )
    """Name of a person or program to its token, which says who acts; better as `secret:ARN` or `ssm:NAME`
    than as text.
    """
    trusted_proxies: Networks = ()
    """Addresses or networks of proxies whose headers are believed: who the visitor is, its address, https."""
    user_header: HeaderName = "X-Forwarded-User"
    """Header in which a trusted proxy names the user that it knows."""
    allowed_hosts: Names = ()
    """Names, without port, by which browsers reach the console, besides addresses of loopback."""
    orca_api: Literal["open", "token", "off"] = "token"
    """ORCA's read API: `open` to all, as ORCA's own; `token`: to those who may see the pages; or `off`."""
    session_hours: Annotated[float, Field(gt=0, le=720)] = 12.0
    """Hours after which a visitor has to log in again."""
    connections: Count = 4
    """Connections to the database for pages and the API."""
    statement_timeout: Seconds = 10.0
    """Seconds that one statement of a page or of the API may take."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.address[0] == "localhost" or ip_address(self.address[0]).is_loopback

    @model_validator(mode="after")
    def _knows_its_visitors(self) -> "ConsoleSection":
        if not (self.on_loopback or self.tokens or self.trusted_proxies):
            text = "is not loopback: set console.tokens.NAME (ORCA_CONSOLE__TOKENS__NAME) to a token"
            raise SettingsConflictError(("console.listen", text))
        return self


class MetricsSection(Section):
    """Metrics for CloudWatch, beside those of the port."""

    emf: bool = False
    """Whether the log also has metrics, once a minute, in CloudWatch's Embedded Metric Format."""
    namespace: Annotated[str, AfterValidator(_namespace)] = "OrcaDaemon"
    """Their namespace in CloudWatch."""
    deployment: Annotated[str, AfterValidator(_dimension)] | None = None
    """Value of their dimension `Deployment`; default: `database.prefix`, else `orca`."""


STANDARD_QUEUES = ("status_update", "recovery", "internal_report", "catalog", "restore")


class Settings(Section):
    """All settings; the environment name of `section.key` is `ORCA_<SECTION>__<KEY>`."""

    aws: AwsSection = Field(default_factory=AwsSection)
    database: DatabaseSection = Field(default_factory=DatabaseSection)
    queues: dict[str, QueueSection] = Field(default_factory=dict)
    engine: EngineSection = Field(default_factory=EngineSection)
    recovery: RecoverySection = Field(default_factory=RecoverySection)
    restore: RestoreSection = Field(default_factory=RestoreSection)
    copies: CopiesSection = Field(default_factory=CopiesSection)
    reconcile: ReconcileSection = Field(default_factory=ReconcileSection)
    export: ExportSection = Field(default_factory=ExportSection)
    http: HttpSection = Field(default_factory=HttpSection)
    console: ConsoleSection = Field(default_factory=ConsoleSection)
    log: LogSection = Field(default_factory=LogSection)
    metrics: MetricsSection = Field(default_factory=MetricsSection)
    _corrections: tuple[Correction, ...] = PrivateAttr(default=())

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """The corrected variables of ORCA's."""
        return self._corrections

    def with_corrections(self, corrections: Iterable[Correction]) -> Self:
        """These settings, with a record of these corrections."""
        copy = self.model_copy()
        copy._corrections = tuple(corrections)  # noqa: SLF001  a copy of our own
        return copy

    @property
    def bound(self) -> Mapping[str, QueueSection]:
        """The queues with a URL."""
        return {name: queue for name, queue in self.queues.items() if queue.url}

    @model_validator(mode="after")
    def _destinations_are_allowed(self) -> "Settings":
        if conflicts := list(contradictions(self)):
            raise SettingsConflictError(*conflicts)
        return self

    @model_validator(mode="after")
    def _spark_is_known(self) -> "Settings":
        options = self.reconcile
        if options.engine == "spark":
            for name in ("spark_remote", "stage"):
                if getattr(options, name) is None:
                    raise SettingsConflictError(
                        (f"reconcile.{name}", "is not set, and reconcile.engine is spark")
                    )
        return self

    @model_validator(mode="after")
    def _distinct_queues(self) -> "Settings":
        first: dict[str, str] = {}
        for name, queue in self.bound.items():
            other = first.setdefault(str(identity(queue.url or "")), name)
            if other != name:
                text = f"is that of queues.{other}.url: two queues have the same URL"
                raise SettingsConflictError((f"queues.{name}.url", text))
        return self

    @property
    def missing(self) -> str | None:
        """Which setting a process lacks to consume its queues, as a sentence; None if it lacks none."""
        if not self.bound:
            return (
                "no queue has a URL: set queues.status_update.url (ORCA_QUEUES__STATUS_UPDATE__URL), "
                "queues.recovery.url (ORCA_QUEUES__RECOVERY__URL), queues.internal_report.url "
                "(ORCA_QUEUES__INTERNAL_REPORT__URL) or queues.catalog.url (ORCA_QUEUES__CATALOG__URL)"
            )
        routes = {queue.route or name for name, queue in self.bound.items()}
        if self.reconcile.engine == "spark" and "internal_report" in routes and find_spec("pyspark") is None:
            return (
                "reconcile.engine (ORCA_RECONCILE__ENGINE) is spark, and the extra is not installed: "
                "pip install 'orca-daemon[spark]'"
            )
        recovers = "recovery" in routes and self.recovery.unknown_keys == "reject"
        if (recovers or "restore" in routes) and not self.status_url:
            return (
                "recoveries post their progress, and no status queue has a URL: set "
                "queues.status_update.url (ORCA_QUEUES__STATUS_UPDATE__URL), or recovery.status_url "
                "(ORCA_RECOVERY__STATUS_URL) where another process reads it"
            )
        if "restore" in routes and not self.recovery_url:
            return (
                "readable objects are copied by way of the recovery queue, and none has a URL: set "
                "queues.recovery.url (ORCA_QUEUES__RECOVERY__URL), or restore.recovery_url "
                "(ORCA_RESTORE__RECOVERY_URL) where another process reads it"
            )
        return None

    @property
    def recovery_url(self) -> str | None:
        """The queue where objects that can be copied are announced."""
        recovery = self.queues.get("recovery")
        return self.restore.recovery_url or (recovery.url if recovery else None)

    @property
    def status_url(self) -> str | None:
        """The queue that progress is posted to."""
        update = self.queues.get("status_update")
        return self.recovery.status_url or (update.url if update else None)

    @property
    def status_grouping(self) -> Grouping:
        """The message groups of status messages on that queue."""
        update = self.queues.get("status_update")
        return update.grouping if update else Grouping.QUEUE
