"""Settings of restores: ORCA's names, what a queue needs, and settings that contradict each other."""

from collections.abc import Mapping

import pytest

from orca_daemon.settings import SettingsError, load
from orca_daemon.wire.restore import Tier

QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/"
QUEUES = {
    "RESTORE_QUEUE_URL": f"{QUEUE}restore",
    "RECOVERY_QUEUE_URL": f"{QUEUE}recovery",
    "STATUS_UPDATE_QUEUE_URL": f"{QUEUE}status.fifo",
}


def test_orcas_own_names_are_read() -> None:
    orca = {
        "ORCA_DEFAULT_BUCKET": "archive",
        "DEFAULT_RECOVERY_TYPE": "Bulk",
        "RESTORE_EXPIRE_DAYS": "7",
        "RESTORE_REQUEST_RETRIES": "2",
        "RESTORE_RETRY_SLEEP_SECS": "0",
        "ARCHIVE_RECOVERY_QUEUE_URL": f"{QUEUE}archive-recovery",
    }
    settings = load(None, {**QUEUES, **orca})
    restore = settings.restore
    assert settings.bound.keys() == {"restore", "recovery", "status_update"}
    assert (restore.bucket, restore.tier, restore.days) == ("archive", Tier.BULK, 7)
    assert (restore.retries, restore.retry_sleep) == (2, 0.0)
    assert settings.recovery_url == f"{QUEUE}archive-recovery"


def test_readable_objects_go_to_the_recovery_queue_unless_a_setting_names_another() -> None:
    assert load(None, QUEUES).recovery_url == f"{QUEUE}recovery"


WRONG: Mapping[str, tuple[dict[str, str], str]] = {
    "a tier that does not exist": ({"DEFAULT_RECOVERY_TYPE": "Fast"}, r"restore\.tier .*: "),
    "a tier that is not allowed": (
        {"ORCA_RESTORE__TIERS": "Bulk"},
        r"restore\.tiers .* does not have restore\.tier",
    ),
    "a pattern that is none": ({"ORCA_RESTORE__DESTINATIONS": '{"(": "b"}'}, r"the pattern \( is no regular"),
    "no status queue": ({"STATUS_UPDATE_QUEUE_URL": ""}, "no status queue has a URL"),
    "no recovery queue": ({"RECOVERY_QUEUE_URL": ""}, "set queues.recovery.url .*, or restore.recovery_url "),
    "an archive that is no source": (
        {"ORCA_DEFAULT_BUCKET": "archive", "ORCA_COPIES__SOURCES": "other"},
        r"restore\.bucket .*: nothing is copied from archive: copies.sources does not name it",
    ),
    "a destination that is no target": (
        {"ORCA_RESTORE__DESTINATIONS": '{".": "public"}', "ORCA_COPIES__TARGETS": "protected"},
        r"restore\.destinations .*: nothing is copied to public: copies.targets does not name it",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_with_the_settings_name(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(None, {**QUEUES, **changes})
