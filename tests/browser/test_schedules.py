"""Restrict a schedule and see what comes of it while typing; backfill what it would have run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import define_calendar
from tests.cluster.server import ServerProcess

pytestmark = pytest.mark.browser


def fill(page: Page, **fields: str) -> None:
    for label, text in fields.items():
        page.get_by_label(label, exact=True).fill(text)


def test_a_calendar_is_obeyed_while_it_is_typed_and_its_past_is_run(visit: Page, server: ServerProcess) -> None:
    define_calendar(server, "plant", dates=[], weekdays=["monday", "tuesday", "wednesday"])
    visit.goto("/jobs/new")
    expect(visit.get_by_role("button", name="Preview")).to_have_count(0)  # it is shown without asking
    fill(visit, Name="restricted", Command="true", Schedule="0 3 * * 3,5")
    preview = visit.locator("[data-preview]")
    expect(preview.locator(".times li")).to_have_count(10)
    visit.get_by_text("Calendars, blackouts, start and end").click()
    visit.get_by_label("Not on days in these calendars").fill("plant")
    expect(preview).to_contain_text("not on days in plant")
    expect(preview.get_by_role("list", name="Notes")).to_contain_text("skipped")
    expect(preview.locator(".times")).not_to_contain_text(re.compile("Mon|Tue|Wed"))
    visit.get_by_label("What falls on a blocked day").select_option("next")
    expect(preview.get_by_role("list", name="Notes")).to_contain_text("moved")
    visit.get_by_label("Blackouts").fill("some day")
    expect(visit.locator("[id=blackouts-wrong]")).to_contain_text("Line 1: blackouts is")
    visit.get_by_label("Blackouts").fill("")
    expect(preview).to_contain_text("but on the next allowed day")
    visit.get_by_role("button", name="Create").click()
    expect(visit.get_by_role("heading", name="restricted")).to_be_visible()
    expect(visit.locator(".sentence")).to_contain_text("not on days in plant")

    visit.get_by_role("button", name="Backfill").click()
    visit.get_by_role("button", name="Preview").click()
    expect(visit.get_by_role("heading", name=re.compile(r"\d occurrences would run"))).to_be_visible()
    visit.get_by_role("button", name="Start backfill").click()
    expect(visit.get_by_role("status")).to_contain_text("succeeded")
    expect(visit.get_by_role("progressbar")).to_be_visible()
    expect(visit.get_by_role("button", name="Cancel")).to_have_count(0)
    visit.get_by_role("link", name="restricted").first.click()
    expect(visit.locator("table", has_text="Progress")).to_contain_text("ended")


def test_an_old_answer_never_replaces_a_newer_one(visit: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    visit.goto("/jobs/new")
    visit.route("**/jobs/new", hold_the_first)
    schedule, preview = visit.get_by_label("Schedule", exact=True), visit.locator("[data-preview]")
    with visit.expect_request("**/jobs/new"):
        schedule.fill("0 3 * * *")
    schedule.fill("0 4 * * *")
    expect(preview).to_contain_text("At 04:00")
    held[0].abort()
    visit.evaluate("() => new Promise((resolve) => setTimeout(resolve, 0))")
    expect(preview).to_contain_text("At 04:00")


def test_a_backfill_is_cancelled_while_it_runs(visit: Page, server: ServerProcess) -> None:
    away = datetime.now(UTC) + timedelta(minutes=30)  # it is not due in the middle of this
    server.define(name="long", command="sleep 600", schedule=f"{away.minute} * * * *", gracePeriod=1)
    visit.goto("/jobs/long/backfill")
    visit.get_by_role("button", name="Start backfill").click()
    expect(visit.locator(".facts")).to_contain_text("1 running")
    visit.get_by_role("button", name="Cancel", exact=True).click()
    expect(visit.get_by_text("nothing more begins")).to_be_visible()
    expect(visit.get_by_role("status")).to_contain_text("running")
    visit.get_by_role("button", name="Cancel and kill").click()
    expect(visit.get_by_role("status")).to_contain_text("cancelled")


def test_the_preview_and_the_calendars_without_javascript(chromium: Browser, server: ServerProcess) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/calendars")
    page.get_by_role("link", name="New calendar").click()
    fill(page, Name="closed", Dates="12-24 Christmas Eve")
    page.get_by_label("Sunday").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="closed")).to_be_visible()
    page.goto("/jobs/new")
    fill(page, Name="unmoved", Command="true", Schedule="0 3 * * *")
    page.get_by_text("Calendars, blackouts, start and end").click()
    page.get_by_label("Not on days in these calendars").fill("closed")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-preview]")).to_contain_text("not on days in closed")
    expect(page.get_by_label("Name", exact=True)).to_have_value("unmoved")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="unmoved")).to_be_visible()  # Enter creates
    context.close()
