"""Every action: a preview that says what will happen, a result that says what did, and once only."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2

from orca_daemon.local.layout import BUCKETS
from orca_daemon.local.state import Whereabouts
from tests.browser.conftest import WHO, NewPage, log_in
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page


def _rows(stack: Whereabouts, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(stack.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _confirm(page: "Page") -> str:
    """Confirm the preview, wait for the end of the action; returns the text of its page."""
    page.click("main form[action$='/confirm'] button")
    page.wait_for_url("**/actions/action?id=*")
    page.locator(".state.good, .state.bad").first.wait_for()
    return str(page.locator("main").inner_text())


def test_pausing_and_resuming_a_queue(acting: str, stack: Whereabouts, new_page: NewPage) -> None:
    page = new_page()
    log_in(page, acting)
    page.get_by_role("button", name="Pause… catalog").click()
    assert "Pause catalog: every daemon stops to receive from it." in page.locator("main").inner_text()
    page.fill("input[name=why]", "the archive moves")
    assert "paused" in _confirm(page)
    statement = "SELECT who, why FROM orca.orca_daemon_control WHERE queue = 'catalog' AND paused"
    assert _rows(stack, statement) == [(WHO, "the archive moves")]
    page.goto(f"{acting}/")
    assert "catalog has been paused by ana" in page.locator(".notes").inner_text()
    page.get_by_role("button", name="Resume… catalog").click()
    assert "paused by ana" in page.locator("main").inner_text()
    _confirm(page)
    assert _rows(stack, statement) == []


def test_a_double_click_and_a_reload_do_a_thing_once(
    acting: str, stack: Whereabouts, new_page: NewPage
) -> None:
    page = new_page()
    log_in(page, acting)
    before = len(_rows(stack, "SELECT FROM orca.orca_daemon_action"))
    page.goto(f"{acting}/exports/table?name=recovery_job")
    page.get_by_role("button", name="Export now…").click()
    form = page.locator("main form[action$='/confirm']")
    fields: dict[str, Any] = {
        str(each.get_attribute("name")): each.input_value() for each in form.locator("input").all()
    }
    page.dblclick("main form[action$='/confirm'] button")
    page.wait_for_url("**/actions/action?id=*")
    again = page.request.post(f"{acting}/act/export/confirm", form=fields, headers={"Origin": acting})
    assert again.url == page.url
    page.reload()
    assert len(_rows(stack, "SELECT FROM orca.orca_daemon_action")) == before + 1
    until(lambda: _exported(new_page, acting))


def _exported(new_page: NewPage, acting: str) -> bool:
    page = new_page()
    page.goto(f"{acting}/exports/table?name=recovery_job")
    return bool(page.locator("tbody tr").count())


def test_recovering_a_failed_file_again(acting: str, stack: Whereabouts, new_page: NewPage) -> None:
    job, key = _lost_file(stack)
    with closing(psycopg2.connect(stack.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT restore_destination FROM orca.recovery_file WHERE key_path = %s", (key,))
    _put(stack, key)
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/recoveries/job?id={job}")
    assert "does not exist" in page.locator("main").inner_text()
    page.get_by_role("button", name="Recover failed files…").click()
    text = page.locator("main").inner_text()
    assert "Request the copies of 1 file." in text
    assert "can be copied" in text
    text = _confirm(page)
    assert "copies requested" in text
    assert "Done means that the copies were requested." in text
    page.get_by_role("link", name="The recovery").click()
    assert (
        f"{WHO} recovered its open and failed files: 1 copy requested"
        in page.locator(".timeline").inner_text()
    )
    status = "SELECT status_id FROM orca.recovery_file WHERE job_id = %s AND key_path = %s"
    until(lambda: _rows(stack, status, job, key) == [(4,)])


def _lost_file(stack: Whereabouts) -> tuple[str, str]:
    """The file that the demo loses."""
    ((job, key),) = _rows(
        stack,
        "SELECT job_id, key_path FROM orca.recovery_file"
        " JOIN orca.recovery_job USING (job_id, collection_id, granule_id)"
        " WHERE recovery_file.status_id = 3 AND archive_destination = %s",
        BUCKETS["archive"],
    )
    return job, key


def _put(stack: Whereabouts, key: str) -> None:
    import boto3

    keys = stack.environment
    s3 = boto3.client(
        "s3",
        endpoint_url=stack.aws_endpoint_url,
        region_name=keys["AWS_REGION"],
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    with closing(s3):
        s3.put_object(Bucket=BUCKETS["archive"], Key=key, Body=b"found again")


def test_sending_one_dead_letter_back_and_reading_its_body(
    acting: str, stack: Whereabouts, new_page: NewPage
) -> None:
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/dead-letters?queue=status_update&q=cut+off")
    page.goto(f"{acting}/dead-letters?queue=status_update")
    links = page.locator("section tbody th a")
    reasons = links.all_inner_texts()
    links.nth(next(index for index, text in enumerate(reasons) if "JSON" in text)).click()
    page.get_by_role("link", name="Show the body").click()
    assert "cut off in the mid" in page.locator("pre").inner_text()
    page.get_by_role("button", name="Send back…").click()
    assert "sent back" in _confirm(page)
    page.get_by_role("link", name="Dead letters of status_update").click()


def test_comparing_an_inventory_again(acting: str, stack: Whereabouts, new_page: NewPage) -> None:
    manifest = _manifest(stack)
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/reconciliation")
    page.click("details.choose summary")
    page.fill("input[name=manifest]", "s3://nobody/manifest.json")
    page.click("details.choose button")
    assert "cannot be read" in page.locator("main").inner_text()
    page.goto(f"{acting}/reconciliation")
    page.click("details.choose summary")
    page.fill("input[name=manifest]", manifest)
    page.click("details.choose button")
    assert "its reports are replaced" in page.locator("main").inner_text()
    started = _rows(stack, "SELECT max(start_time) FROM orca.reconcile_job WHERE status_id = 5")
    _confirm(page)
    until(
        lambda: _rows(stack, "SELECT max(start_time) FROM orca.reconcile_job WHERE status_id = 5") > started
    )


def _manifest(stack: Whereabouts) -> str:
    import boto3

    keys = stack.environment
    s3 = boto3.client(
        "s3",
        endpoint_url=stack.aws_endpoint_url,
        region_name=keys["AWS_REGION"],
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    with closing(s3):
        listed = s3.list_objects_v2(Bucket=BUCKETS["reports"])["Contents"]
    key = next(each["Key"] for each in listed if each["Key"].endswith("manifest.json"))
    return f"s3://{BUCKETS['reports']}/{key}"


def test_sending_back_all_dead_letters_of_a_reason(acting: str, new_page: NewPage) -> None:
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/failures?source=dead_letters")
    row = page.locator("tbody tr").filter(has_text="the body is not JSON")
    row.get_by_role("button").click()
    text = page.locator("main").inner_text()
    assert "Send about 1 dead letter of status_update back to their queue." in text
    assert "If what made them fail is not mended, they fail again." in text
    assert "sent back" in _confirm(page)


def test_recovering_all_files_of_a_reason(acting: str, new_page: NewPage) -> None:
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/failures?source=files&since=30d")
    row = page.locator("tbody tr").filter(has_text="AccessDenied")
    row.get_by_role("button").click()
    assert "request a copy of each that can be read" in page.locator("main").inner_text()
    assert "objects that cannot be copied now" in _confirm(page)
