"""A workload whose rows show in which order its messages were processed, and the check after every fault."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from urllib.error import HTTPError
from urllib.request import urlopen

from orca_daemon.local.daemon import Daemon
from orca_daemon.producer import OrcaStatus, send_batch
from orca_daemon.wire.copy import CopyRequest, copy_message
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import COLLECTION, new_job, update

FINAL_STATUSES = {OrcaStatus.SUCCESS, OrcaStatus.FAILED}
FILE = "a.hdf"
IN_FLIGHT = "orca_daemon_messages_held{"
ROWS = (
    "SELECT job_id, file.status_id, job.status_id, file.completion_time IS NOT NULL"
    " FROM orca.recovery_file AS file JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)"
    " ORDER BY job_id"
)
STATUS_AUDIT = """
    CREATE TABLE public.status_audit (
        n bigint GENERATED ALWAYS AS IDENTITY, transaction xid8 DEFAULT pg_current_xact_id(),
        job_id text, status_id int2
    );
    CREATE FUNCTION public.audit_status() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.status_audit (job_id, status_id) VALUES (NEW.job_id, NEW.status_id); RETURN NULL;
    END $$;
    CREATE TRIGGER audit_status AFTER INSERT OR UPDATE ON orca.recovery_file
        FOR EACH ROW EXECUTE FUNCTION public.audit_status();
"""
"""Records each status that a file goes through, and the transaction that wrote it."""


@dataclass
class Workload:
    """The messages that were sent, and what they must leave behind."""

    deployment: Deployment
    statuses: dict[str, list[OrcaStatus]] = field(default_factory=dict)
    """Job to the statuses that its file goes through, in order; the row must end with the last one."""
    groups: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Message group to its jobs, in the order in which they were sent."""
    copies: dict[str, str] = field(default_factory=dict)
    """Key of each object that must be copied, to the role of its target bucket (`protected`, `public`)."""
    poison: list[str] = field(default_factory=list)
    """Bodies of the messages that must be dead-lettered, once each."""
    other_groups: int = 3
    """Number of message groups besides ORCA's one."""
    update_gap: float = 0.0
    """Seconds between the times of the last two updates of a job."""

    def send(self, jobs: int) -> None:
        """Send four messages for each job.  Any other order leaves other rows, or dead letters.

        Half of the jobs are in ORCA's one group, the others in further groups.  The last two updates have the
        same time unless `update_gap` is set; then the one that is processed later wins.
        """
        first, messages = len(self.statuses), []
        for number in range(first, first + jobs):
            job, group = f"op-{number:04}", GROUP if number % 2 else f"group-{number % self.other_groups}"
            ends = [OrcaStatus.SUCCESS, OrcaStatus.FAILED][:: 1 if number % 4 < 2 else -1]
            of_job = [new_job(job, [FILE]), update(job, FILE, OrcaStatus.STAGED)]
            of_job += [
                update(job, FILE, end, seconds=5 + at * self.update_gap) for at, end in enumerate(ends)
            ]
            messages += [replace(message, group=group) for message in of_job]
            self.statuses[job] = [OrcaStatus.PENDING, OrcaStatus.STAGED, *ends]
            self.groups[group].append(job)
        self._send("status_update", messages)

    def send_poison(self) -> None:
        """Send a message with a body that is not valid JSON, in ORCA's one group."""
        body = f'{{"jobId": "op-{len(self.poison)}'
        self.poison.append(body)
        poison = Outgoing(
            body=body,
            group=GROUP,
            deduplication_id=f"poison-{len(self.poison)}",
            attributes={ATTRIBUTE: "new_job"},
        )
        self._send("status_update", [poison])

    def send_copies(self, files: int, to: str = "protected") -> None:
        """Send copy requests, each with a job and an object; `to` is the role of the target bucket."""
        archive, destination = self.deployment.buckets["archive"], self.deployment.buckets[to]
        jobs, requests = [], []
        for number in range(len(self.copies), len(self.copies) + files):
            job, key = f"copy-{number:04}", f"d/{number}.hdf"
            self.deployment.s3.put_object(Bucket=archive, Key=key, Body=key.encode())
            name = key.rpartition("/")[2]
            jobs.append(new_job(job, [name], archive=archive, destination=destination))
            request = CopyRequest(
                job_id=job,
                collection_id=COLLECTION,
                granule_id="g-1",
                filename=name,
                restore_destination=destination,
                s3_multipart_chunksize_mb=None,
                source_key=key,
                target_key=key,
                source_bucket=archive,
            )
            requests.append(copy_message(request))
            self.statuses[job] = [OrcaStatus.PENDING, OrcaStatus.STAGED, OrcaStatus.SUCCESS]
            self.groups[GROUP].append(job)
            self.copies[key] = to
        self._send("status_update", jobs)
        self._send("recovery", requests)

    def await_first_row(self) -> None:
        """Wait until the first message has become a row."""
        self.deployment.until(
            lambda: self.deployment.rows("SELECT count(*) > 0 FROM orca.recovery_file"), [(True,)]
        )

    def _send(self, queue: str, messages: list[Outgoing]) -> None:
        sent = list(send_batch(messages, self.deployment.queues[queue], client=self.deployment.sqs))
        assert [result.error for result in sent if result.error] == []


def everything_is_accounted_for(work: Workload, daemon: Daemon) -> None:
    """Check rows, queues, dead letters, copies and order; the daemon must be ready with nothing in flight."""
    deployment = work.deployment
    final = {job: statuses[-1] for job, statuses in sorted(work.statuses.items())}
    expected = [(job, status, status, status in FINAL_STATUSES) for job, status in final.items()]
    deployment.await_rows(expected, ROWS)
    deployment.await_empty("status_update", "recovery")
    received = deployment.dead_letters("status_update", len(work.poison))
    assert sorted(each.body for each in received) == sorted(work.poison), deployment.output()
    assert (deployment.left("status_update_dead_letter"), deployment.left("recovery_dead_letter")) == (0, 0)
    for key, to in work.copies.items():
        body = deployment.s3.get_object(Bucket=deployment.buckets[to], Key=key)["Body"]
        assert body.read() == key.encode()
    order_was_kept(work)
    deployment.until(lambda: (daemon.poll(), _ready(daemon), _in_flight(daemon)), (None, True, 0))


def order_was_kept(work: Workload) -> None:
    """Check that the jobs of each group were created in order, and each file's statuses written in order."""
    recorded: dict[str, list[int]] = defaultdict(list)
    created_by: dict[str, int] = {}
    for job, status, transaction in work.deployment.rows(
        "SELECT job_id, status_id, transaction::text::bigint FROM public.status_audit ORDER BY n"
    ):
        created_by.setdefault(job, transaction)
        if status not in recorded[job]:
            recorded[job].append(status)
    for group, jobs in work.groups.items():
        transactions = [created_by[job] for job in jobs]
        assert transactions == sorted(transactions), f"the jobs of {group} were created in another order"
    # A file may skip a status, because several updates in one transaction write only the last of them.
    for job, statuses in work.statuses.items():
        assert recorded[job] == [status for status in statuses if status in recorded[job]], job


def _in_flight(daemon: Daemon) -> float:
    """Number of messages in flight, by the daemon's own metric."""
    with urlopen(f"{daemon.url}/metrics", timeout=5) as response:  # noqa: S310  our own address
        lines = response.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(IN_FLIGHT))


def _ready(daemon: Daemon) -> bool:
    try:
        with urlopen(f"{daemon.url}/readyz", timeout=5) as response:  # noqa: S310  our own address
            return bool(response.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
