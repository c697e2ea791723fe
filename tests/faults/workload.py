"""Messages whose order can be read from what they leave behind, and the one check after every fault."""

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

SETTLED = {OrcaStatus.SUCCESS, OrcaStatus.FAILED}
FILE = "a.hdf"
HELD = "orca_daemon_messages_held{"
ROWS = (
    "SELECT job_id, file.status_id, job.status_id, file.completion_time IS NOT NULL"
    " FROM orca.recovery_file AS file JOIN orca.recovery_job AS job USING (job_id, collection_id, granule_id)"
    " ORDER BY job_id"
)
WITNESS = """
    CREATE TABLE public.witness (
        n bigint GENERATED ALWAYS AS IDENTITY, run xid8 DEFAULT pg_current_xact_id(),
        job_id text, status_id int2
    );
    CREATE FUNCTION public.testify() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.witness (job_id, status_id) VALUES (NEW.job_id, NEW.status_id); RETURN NULL;
    END $$;
    CREATE TRIGGER testify AFTER INSERT OR UPDATE ON orca.recovery_file
        FOR EACH ROW EXECUTE FUNCTION public.testify();
"""
"""Writes down each state that a file was ever in, and the transaction that brought it there."""


@dataclass
class Workload:
    """What was put on the queues."""

    deployment: Deployment
    walks: dict[str, list[OrcaStatus]] = field(default_factory=dict)
    """Job to the states that its file goes through, in order; the last is what must be left."""
    groups: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Group to its jobs, in the order in which they were sent."""
    copies: dict[str, str] = field(default_factory=dict)
    """Keys that have to be copied, and the setting of their bucket."""
    poison: list[str] = field(default_factory=list)
    """Bodies that have to be in the dead-letter queue, once."""
    others: int = 3
    """How many groups there are beside ORCA's one."""
    apart: float = 0.0
    """Seconds between the times of the last two updates of a job."""

    def send(self, jobs: int) -> None:
        """Four messages for each job: in any other order they leave other rows, or dead letters.

        Half of them are in ORCA's one group, the rest in others.  Of the last two the later wins, though they
        have one and the same time.
        """
        first, messages = len(self.walks), []
        for number in range(first, first + jobs):
            job, group = f"op-{number:04}", GROUP if number % 2 else f"group-{number % self.others}"
            ends = [OrcaStatus.SUCCESS, OrcaStatus.FAILED][:: 1 if number % 4 < 2 else -1]
            made = [new_job(job, [FILE]), update(job, FILE, OrcaStatus.STAGED)]
            made += [update(job, FILE, end, seconds=5 + at * self.apart) for at, end in enumerate(ends)]
            messages += [replace(message, group=group) for message in made]
            self.walks[job] = [OrcaStatus.PENDING, OrcaStatus.STAGED, *ends]
            self.groups[group].append(job)
        self._send("status_update", messages)

    def send_poison(self) -> None:
        """A message that nobody can read, in the group of all others."""
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
        """Files to be copied from the archive, each with its job; `to` is the setting of their bucket."""
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
            self.walks[job] = [OrcaStatus.PENDING, OrcaStatus.STAGED, OrcaStatus.SUCCESS]
            self.groups[GROUP].append(job)
            self.copies[key] = to
        self._send("status_update", jobs)
        self._send("recovery", requests)

    def await_some(self) -> None:
        """Return when part of it is done."""
        self.deployment.until(
            lambda: self.deployment.rows("SELECT count(*) > 0 FROM orca.recovery_file"), [(True,)]
        )

    def _send(self, queue: str, messages: list[Outgoing]) -> None:
        sent = list(send_batch(messages, self.deployment.queues[queue], client=self.deployment.sqs))
        assert [result.error for result in sent if result.error] == []


def everything_is_accounted_for(work: Workload, daemon: Daemon) -> None:
    """No message is lost or where it should not be, order was kept, and this daemon lives and is ready."""
    deployment = work.deployment
    expected = [(job, walk[-1], walk[-1], walk[-1] in SETTLED) for job, walk in sorted(work.walks.items())]
    deployment.await_rows(expected, ROWS)
    deployment.await_empty("status_update", "recovery")
    letters = deployment.dead_letters("status_update", len(work.poison))
    assert sorted(letter.body for letter in letters) == sorted(work.poison), deployment.output()
    assert (deployment.left("status_update_dead_letter"), deployment.left("recovery_dead_letter")) == (0, 0)
    for key, to in work.copies.items():
        found = deployment.s3.get_object(Bucket=deployment.buckets[to], Key=key)["Body"]
        assert found.read() == key.encode()
    order_was_kept(work)
    deployment.until(lambda: (daemon.poll(), _ready(daemon), _held(daemon)), (None, True, 0))


def order_was_kept(work: Workload) -> None:
    """Jobs of a group began in their order, and files went through their states in theirs."""
    seen: dict[str, list[int]] = defaultdict(list)
    began: dict[str, int] = {}
    for job, status, run in work.deployment.rows(
        "SELECT job_id, status_id, run::text::bigint FROM public.witness ORDER BY n"
    ):
        began.setdefault(job, run)
        if status not in seen[job]:
            seen[job].append(status)
    for group, jobs in work.groups.items():
        runs = [began[job] for job in jobs]
        assert runs == sorted(runs), f"the jobs of {group} began in another order"
    for job, walk in work.walks.items():
        assert seen[job] == [status for status in walk if status in seen[job]], job


def _held(daemon: Daemon) -> float:
    """How many messages the daemon believes to have in flight."""
    with urlopen(f"{daemon.url}/metrics", timeout=5) as answer:  # noqa: S310  our own address
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(HELD))


def _ready(daemon: Daemon) -> bool:
    try:
        with urlopen(f"{daemon.url}/readyz", timeout=5) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
