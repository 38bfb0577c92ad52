"""The page of a job: forcing a run in a dialogue, its figures, its history and its chain."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SCREENSHOTS
from tests.browser.held import HeldRequests
from tests.cluster.server import ServerProcess, wait_for

pytestmark = pytest.mark.browser


COMMAND = """sleep "0.${PART:-2}"
test "$MODE" = bad && exit 3
test "$MODE-$CHRONOS_ATTEMPT" = once-1 && exit 75
echo done"""


@pytest.fixture(scope="module")
def busy(server: ServerProcess) -> str:
    """A job in a chain with a history of successes, retries and failures."""
    name = "transform_orders"
    later = datetime.now(UTC) + timedelta(hours=12)  # a run of it would be one more of the job after it
    schedule = f"30 {later.hour} * * 1-5"
    server.define(name="extract_orders", command="true", schedule=schedule, scheduleTimeZone="Europe/Berlin")
    server.define(
        name=name,
        command=COMMAND,
        description="Brings yesterday's orders into the shape of the warehouse.",
        parents=["extract_orders"],
        owner="ann@example.com",
        labels={"team": "etl", "tier": "gold"},
        retries=1,
        retryDelay=0,
    )
    server.define(name="report_orders", command="true", parents=[name])
    server.define(name="archive_orders", command="true", parents=[name, "extract_orders"], triggerRule="all_done")
    modes = ["", "", "once", "", "bad", "", "", "once", "", ""]
    for number, mode in enumerate(modes):
        server.wait_for_end(server.run(name, environment={"MODE": mode, "PART": str(1 + number % 4)}))
    wait_for("the report", lambda: len(server.runs("report_orders")) >= len(modes) - 1)
    return name


def test_a_run_is_forced_from_the_dialogue(visit: Page, server: ServerProcess) -> None:
    server.define(name="greeter", command='echo "$WHO:"')
    visit.goto("/jobs/greeter")
    opener = visit.locator("summary", has_text="Force run with …")
    opener.click()
    dialog = visit.get_by_role("dialog", name="Force run with …")
    expect(dialog.get_by_label("Arguments")).to_be_focused()
    visit.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_label("Environment").fill("WHO=ann")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    opener.click()
    expect(dialog.get_by_label("Environment")).to_have_value("WHO=ann")
    dialog.get_by_label("Arguments").fill("hello")
    dialog.get_by_label("Scheduled time").fill("soon")
    dialog.get_by_role("button", name="Start this run").click()
    expect(visit.get_by_role("dialog").get_by_text("must be a time such as")).to_be_visible()
    expect(visit.get_by_label("Arguments")).to_have_value("hello")
    visit.get_by_label("Scheduled time").fill("")
    visit.get_by_role("button", name="Start this run").click()
    expect(visit.locator("pre").first).to_contain_text("ann: hello")


def test_a_second_press_while_the_answer_is_awaited_starts_no_second_run(visit: Page, server: ServerProcess) -> None:
    server.define(name="pressed-twice", command="true")
    visit.clock.set_fixed_time(datetime.now(UTC))  # however long it takes until the second press
    visit.goto("/jobs/pressed-twice")
    held = HeldRequests(visit, "**/jobs/pressed-twice/run")
    visit.get_by_role("button", name="Force run", exact=True).focus()
    visit.keyboard.press("Enter")
    held.wait()
    visit.keyboard.press("Enter")
    held.release()
    expect(visit).to_have_url(re.compile(r"/runs/\d+$"))
    assert len(held.waiting) == len(server.runs("pressed-twice")) == 1
    visit.go_back()
    visit.get_by_role("button", name="Pause", exact=True).click()
    expect(visit.get_by_role("button", name="Resume", exact=True)).to_be_visible()


def test_a_page_whose_job_is_deleted_elsewhere_says_so(visit: Page, server: ServerProcess) -> None:
    server.define(name="taken-away", command="true")
    visit.goto("/jobs/taken-away")
    expect(visit.get_by_role("heading", name="taken-away")).to_be_visible()
    assert requests.delete(f"{server.url}/api/jobs/taken-away", timeout=60).ok
    expect(visit.get_by_text("is no longer there")).to_be_attached()
    expect(visit.get_by_text("The server does not answer")).to_have_count(0)


def test_history_is_filtered_in_the_address_and_leads_to_the_runs(visit: Page, busy: str) -> None:
    visit.goto(f"/jobs/{busy}")
    rows = visit.locator("#found tbody tr")
    expect(rows).to_have_count(10)
    visit.get_by_label("State").select_option("unsuccessful")
    visit.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(visit).to_have_url(re.compile("state=unsuccessful"))
    expect(rows.first).to_contain_text("2 tries: exited with code 3")
    rows.first.get_by_role("link").first.click()
    expect(visit.get_by_role("heading", level=1)).to_contain_text("failed")


def test_the_trend_leads_to_a_run_and_is_there_as_a_table(visit: Page, busy: str) -> None:
    visit.goto(f"/jobs/{busy}")
    section = visit.get_by_role("region", name="Duration")
    expect(section.locator("rect.run")).to_have_count(10)
    expect(section).to_contain_text("half take at most")
    section.get_by_text("As a table").click()
    expect(section.get_by_role("row")).to_have_count(4 + 1 + 10 + 1)
    section.locator("svg a").first.click()
    expect(visit.get_by_role("heading", name=re.compile(r"Run \d+"))).to_be_visible()


def test_pause_resume_duplicate_and_delete_are_plain_forms(
    chromium: Browser, server: ServerProcess, busy: str
) -> None:
    server.define(name="doomed", command="true", schedule="0 3 * * *")
    server.define(name="orphan", command="true", parents=["doomed"])
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/jobs/doomed")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    expect(page.get_by_text("none while it is paused")).to_be_visible()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("paused")
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/jobs/doomed/delete"))
    expect(page.get_by_role("link", name="orphan")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(f"{server.url}/")
    page.goto("/jobs/orphan")
    expect(page.get_by_text("at 03:00")).to_be_visible()
    context.close()


def test_the_page_follows_a_run_without_a_reload(visit: Page, server: ServerProcess) -> None:
    server.define(name="watched", command='while [ ! -e "$CHRONOS_SHARED_DIR/watched" ]; do sleep 0.1; done')
    visit.goto("/jobs/watched")
    visit.evaluate("window.isSame = true")
    run_id = server.run("watched")
    expect(visit.get_by_role("heading", level=1)).to_contain_text("running")
    expect(visit.locator("#found")).to_contain_text(f"#{run_id}")
    (server.shared_dir / "watched").touch()
    expect(visit.get_by_role("heading", level=1)).to_contain_text("succeeded")
    assert visit.evaluate("window.isSame")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_it_is_pictured_and_accessible(
    chromium: Browser, server: ServerProcess, busy: str, scheme: Any, width: int
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name, path in (
        ("job-history", f"/jobs/{busy}"),
        ("job-scheduled", "/jobs/extract_orders"),
        ("job-delete", f"/jobs/{busy}/delete"),
        ("job-revision", f"/jobs/{busy}/revisions/1"),
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        assert_accessible(page)
    page.goto(f"/jobs/{busy}")
    page.locator("summary", has_text="Force run with …").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / f"job-force-{scheme}-{width}.png")
    assert_accessible(page)
    context.close()
