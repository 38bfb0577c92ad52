"""The timeline in a real browser: the viewer's days, parts of them, a click on a bar, a month, a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SCREENSHOTS
from tests.cluster.server import ServerProcess

ZONE = "America/St_Johns"


@pytest.fixture(scope="module")
def day(server: ServerProcess) -> int:
    """Jobs that are due in the next day, one that has failed, and one that has succeeded; the number of its run."""
    for hour in range(0, 24, 2):
        server.define(name=f"at {hour:02}", command="true", schedule=f"0 {hour} * * *", owner="ann@example.com")
    for number in range(12):
        server.define(name=f"nightly {number:02}", command="true", schedule="0 0 * * *", labels={"team": "night"})
    server.define(name="every second", command="true", schedule="R//PT1S", disabled=True)
    server.define(name="every ten minutes", command="true", schedule="*/10 * * * *")
    server.define(name="broken", command="exit 1", retries=1, retryDelay=0)
    server.wait_for_end(server.run("broken"))
    server.define(name="quick", command="sleep 1")
    run = server.run("quick")
    server.wait_for_end(run)
    return run


@pytest.fixture
def abroad(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 900}, timezone_id=ZONE, color_scheme="dark"
    )
    page = context.new_page()
    yield page
    context.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def tomorrow() -> date:
    """The day after it is still to come, even if today ends now."""
    return datetime.now(UTC).date() + timedelta(days=1)


def test_a_day_is_that_of_the_viewer(abroad: Page, day: int) -> None:
    before = datetime.now(UTC)
    abroad.goto("/timeline")
    expect(abroad.get_by_label("Time zone")).to_have_value(ZONE)
    days = [f"{each.astimezone(ZoneInfo(ZONE)):%A, %-d %B %Y}" for each in (before, datetime.now(UTC))]
    expect(abroad.get_by_role("heading", level=1)).to_contain_text(re.compile("|".join(days)))
    expect(abroad.locator(".axis")).to_contain_text("00:00")
    expect(abroad.locator("line.now").first).to_be_attached()
    assert_accessible(abroad)
    abroad.screenshot(path=SCREENSHOTS / "timeline-dark.png")


def test_a_bar_leads_to_its_run(visit: Page, server: ServerProcess, day: int) -> None:
    began = moment(server.get(f"/api/runs/{day}")["startedAt"])
    visit.goto("/timeline?q=quick")
    visit.get_by_role("link", name="1 h", exact=True).click()
    expect(visit).to_have_url(re.compile("hours=1"))
    visit.goto(f"/timeline?q=quick&day={began:%Y-%m-%d}&from={began:%H}:00&hours=1")  # it may be another hour by now
    bar = visit.locator(f'a[href="/runs/{day}"] rect').first
    expect(bar).to_be_visible()
    bar.click()
    expect(visit).to_have_url(re.compile(f"/runs/{day}$"))


@pytest.mark.usefixtures("day")
def test_what_is_planned_and_where_it_collides(visit: Page) -> None:
    visit.goto(f"/timeline?day={tomorrow()}")
    visit.get_by_role("link", name="The day after").click()
    expect(visit.locator(".bars .planned").first).to_be_attached()
    expect(visit.get_by_text("Most at once: 14 within 5 min from 00:00")).to_be_visible()
    visit.screenshot(path=SCREENSHOTS / "timeline-planned.png")
    visit.locator(".density a").nth(2).click()
    expect(visit).to_have_url(re.compile("hours=1"))
    expect(visit.locator(".axis")).to_contain_text("02:05")


@pytest.mark.usefixtures("day")
def test_filters_and_zoom_are_in_the_address(visit: Page) -> None:
    visit.goto(f"/timeline?day={tomorrow()}")
    visit.get_by_label("Label").fill("team=night")
    visit.get_by_role("button", name="Show").click()
    expect(visit).to_have_url(re.compile("label=team%3Dnight"))
    visit.get_by_role("link", name="The day after").click()
    expect(visit.locator(".gantt-row")).to_have_count(12)
    visit.get_by_role("link", name="As a table").click()
    expect(visit.get_by_role("row", name=re.compile("nightly 03.*Planned for 00:00"))).to_be_visible()
    assert_accessible(visit)
    visit.get_by_role("link", name="Month").click()
    expect(visit).to_have_url(re.compile("month=.*label=team%3Dnight"))


@pytest.mark.usefixtures("day")
def test_a_month_leads_to_its_days(visit: Page, server: ServerProcess) -> None:
    failed = moment(server.runs("broken")[0]["finishedAt"])  # it may be another day by now, or another month
    visit.goto("/timeline")
    visit.get_by_role("link", name="Month").click()
    expect(visit.locator(".calendar .today")).to_be_visible()
    visit.goto(f"/timeline?month={failed:%Y-%m}")
    cell = visit.locator(f'.calendar td:has(a[href*="day={failed:%Y-%m-%d}"])')
    expect(cell).to_contain_text("failed")
    assert_accessible(visit)
    visit.screenshot(path=SCREENSHOTS / "month.png")
    cell.get_by_role("link").click()
    expect(visit.locator(".gantt-row").first).to_be_visible()
    expect(visit).to_have_url(re.compile("day="))


@pytest.mark.usefixtures("day")
def test_the_page_of_the_cluster(visit: Page) -> None:
    visit.goto("/cluster")
    expect(visit.get_by_role("row", name=re.compile("this node.*leader"))).to_be_visible()
    assert_accessible(visit)
    visit.screenshot(path=SCREENSHOTS / "cluster.png", full_page=True)


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize("path", ["/timeline", "/timeline?month=2026-11", "/timeline?table=1", "/cluster"])
def test_on_a_phone(chromium: Browser, server: ServerProcess, path: str) -> None:
    context = chromium.new_context(base_url=server.url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    name = re.sub(r"\W+", "-", path.split("=")[0].strip("/"))
    page.screenshot(path=SCREENSHOTS / f"{name}-phone.png", full_page=True)
    context.close()


@pytest.mark.usefixtures("day")
def test_without_javascript(chromium: Browser, server: ServerProcess) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/timeline")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Europe/Berlin")
    page.get_by_role("link", name="The day after").click()
    page.get_by_role("link", name="6 h", exact=True).click()
    expect(page).to_have_url(re.compile("hours=6"))
    context.close()
