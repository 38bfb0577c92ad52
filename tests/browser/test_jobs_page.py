"""The list of jobs in a browser: filters, order, views, many at once, the keyboard, themes, a phone, 10,000 jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from bench.pages import fill
from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.http import bind, create_wsgi_app
from tests.browser.accessibility import assert_accessible
from tests.browser.assets import Assets
from tests.browser.conftest import SCREENSHOTS
from tests.browser.held import HeldRequests
from tests.cluster.server import ServerProcess

pytestmark = pytest.mark.browser

EVIL = "<script>alert(1)</script>"
LONG = (
    "a rather long name of a job that nobody wants to read twice but that somebody gave it nevertheless " + "x" * 80
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with jobs of several teams; some have run, one runs, one is paused."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), "--pool", "process").start()
    server.wait_until_it_leads()
    later = datetime.now(UTC) + timedelta(hours=12)  # nothing runs by itself while the list is looked at
    for team, name, command in (
        ("etl", "etl.load_orders", "sleep 0.2"),
        ("etl", "etl.load_stock", "sleep 0.05"),
        ("etl", "etl.load_returns", "exit 3"),
        ("bi", "bi.daily-report", "true"),
        ("bi", "bi.forecast", "exit 1"),
        ("ops", "ops.backup", "sleep 600"),
        ("ops", "ops.rotate-logs", "true"),
    ):
        server.define(
            name=name,
            command=command,
            retries=0,
            schedule=f"30 {later.hour} * * {'1-5' if team != 'ops' else '*'}",
            scheduleTimeZone="Europe/Berlin",
            labels={"team": team},
            owner=f"{team}@example.com",
        )
    server.define(name="etl.merge", command="true", parents=["etl.load_orders", "etl.load_stock"], overlap="allow")
    server.define(name="manual-cleanup", command="true", disabled=True)
    ended = [
        server.run(name)
        for name in ("etl.load_orders", "etl.load_stock", "etl.load_returns", "bi.daily-report", "bi.forecast")
        for _ in range(3)
    ]
    for run_id in ended:
        server.wait_for_end(run_id)
    server.run("ops.backup")
    yield server
    server.terminate()


def names(page: Page) -> Locator:
    return page.locator("table.jobs tbody th > a")


def state_of(server: ServerProcess, name: str) -> Any:
    return server.get(f"/api/jobs/{name}")


def test_filters_lead_to_addresses_that_can_be_shared(visit: Page, server: ServerProcess) -> None:
    visit.goto("/")
    visit.locator("#counters").get_by_role("link", name="failed").click()
    expect(visit).to_have_url(f"{server.url}/?state=failed")
    expect(names(visit)).to_have_text(["bi.forecast", "etl.load_returns"])
    visit.get_by_label("Label", exact=True).first.fill("team=etl")
    visit.get_by_role("button", name="Search").click()
    expect(names(visit)).to_have_text(["etl.load_returns"])
    deep_link = visit.url
    visit.goto("/cluster")
    visit.goto(deep_link)
    expect(names(visit)).to_have_text(["etl.load_returns"])
    visit.get_by_role("link", name="Without label team=etl").click()
    expect(visit.locator("table.jobs tbody tr")).to_have_count(2)
    visit.get_by_label("Last outcome").select_option("success")  # sends itself
    expect(visit.get_by_text("No job fits")).to_be_visible()


def test_what_is_chosen_before_the_script_is_there_counts_too(visit: Page) -> None:
    held = HeldRequests(visit, "**/jobs.js*")
    visit.goto("/?state=failed", wait_until="commit")
    expect(visit.locator("table.jobs tbody tr")).to_have_count(2)
    held.wait()  # the script is not there yet
    visit.evaluate("document.getElementById('last').value = 'success'")  # by a person, whom no event tells
    held.release()
    expect(visit.get_by_text("No job fits")).to_be_visible()
    visit.go_back()
    expect(visit.locator("table.jobs tbody tr")).to_have_count(2)


def test_columns_sort_and_say_so(visit: Page) -> None:
    visit.goto("/?label=team%3Detl")
    visit.get_by_role("link", name="Success").click()
    expect(visit.get_by_role("columnheader", name="Success")).to_have_attribute("aria-sort", "ascending")
    expect(names(visit).first).to_have_text("etl.load_returns")
    visit.get_by_role("link", name="Success").click()
    expect(visit.get_by_role("columnheader", name="Success")).to_have_attribute("aria-sort", "descending")
    expect(names(visit).last).to_have_text("etl.load_returns")


def test_a_view_is_kept_and_deleted(visit: Page) -> None:
    visit.goto("/?q=load")
    visit.get_by_text("Keep this list …").click()
    visit.get_by_label("Name of the view").fill("Loads")
    visit.get_by_role("button", name="Keep", exact=True).click()
    expect(visit.get_by_role("heading", level=1, name="Loads")).to_be_visible()
    expect(visit.get_by_text("This list is kept as “Loads”.")).to_be_visible()
    visit.goto("/")
    visit.get_by_role("link", name="Loads").click()
    expect(names(visit)).to_have_count(3)
    visit.get_by_role("button", name="Delete the view Loads").click()
    expect(visit.get_by_role("link", name="Loads")).to_have_count(0)


def test_a_click_on_a_bar_opens_that_run(visit: Page, server: ServerProcess) -> None:
    visit.goto("/?q=load_returns")
    bar = visit.locator(".strip .bar").last
    address = bar.get_attribute("href")
    bar.click()
    expect(visit).to_have_url(f"{server.url}{address}")


def test_bars_are_reached_by_keyboard(visit: Page) -> None:
    visit.goto("/?q=load_returns")
    newest = visit.locator(".strip .bar").last
    before = visit.locator(".strip .bar").nth(-2)
    visit.get_by_role("link", name="team=etl").last.focus()
    visit.keyboard.press("Tab")
    expect(newest).to_be_focused()
    visit.keyboard.press("ArrowLeft")
    expect(before).to_be_focused()
    visit.keyboard.press("Enter")
    expect(visit).to_have_url(re.compile("/runs/[0-9]+$"))


@pytest.mark.parametrize("with_modules", [True, False])
def test_checked_jobs_are_paused_together_and_back(
    chromium: Browser, server: ServerProcess, with_modules: bool
) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=with_modules)
    page = context.new_page()
    page.goto("/?label=team%3Dbi")
    if with_modules:
        expect(page.get_by_role("button", name="Pause")).to_be_disabled()
        page.get_by_label("Check all of these").check()
        expect(page.get_by_text("With 2 checked")).to_be_visible()
    else:
        page.get_by_label("Check bi.daily-report").check()
        page.get_by_label("Check bi.forecast").check()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Pause 2 jobs?")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("2 jobs are paused.")).to_be_visible()
    assert state_of(server, "bi.forecast")["disabled"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 jobs are resumed again")).to_be_visible()
    assert not state_of(server, "bi.forecast").get("disabled")
    context.close()


def test_all_that_fit_get_a_label(visit: Page, server: ServerProcess) -> None:
    visit.goto("/?q=etl.load")
    visit.get_by_label("or all 3 that fit").check()
    visit.get_by_label("Label to set or to take away").fill("night=yes")
    visit.keyboard.press("Enter")
    expect(visit.get_by_role("heading", name="Label 3 jobs?")).to_be_visible()
    visit.get_by_role("button", name="Label", exact=True).click()
    expect(visit.get_by_text("The labels of 3 jobs were changed.")).to_be_visible()
    assert state_of(server, "etl.load_stock")["labels"] == {"team": "etl", "night": "yes"}


def test_the_keyboard_goes_everywhere(visit: Page, server: ServerProcess) -> None:
    visit.clock.set_fixed_time(datetime.now(UTC))  # however long it takes from one key to the next
    visit.goto("/?q=etl.load")
    visit.keyboard.press("/")
    expect(visit.get_by_label("Search", exact=True)).to_be_focused()
    visit.keyboard.type("?j")  # only text here
    expect(visit.get_by_role("dialog")).to_have_count(0)
    visit.keyboard.press("Escape")
    for key in "jjk":
        visit.keyboard.press(key)
    expect(visit.get_by_role("link", name="etl.load_orders")).to_be_focused()
    before = len(server.runs("etl.load_orders"))
    visit.keyboard.press("r")
    dialog = visit.get_by_role("dialog", name="Force run etl.load_orders?")
    expect(dialog).to_be_visible()
    visit.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert len(server.runs("etl.load_orders")) == before
    visit.get_by_role("link", name="etl.load_orders").focus()
    visit.keyboard.press("x")
    expect(visit.get_by_label("Check etl.load_orders")).to_be_checked()
    visit.get_by_role("link", name="etl.load_orders").focus()
    visit.keyboard.press("r")
    visit.keyboard.press("Enter")
    expect(visit).to_have_url(re.compile(r"/runs/\d+$"))
    assert len(server.runs("etl.load_orders")) == before + 1
    for keys, path in (
        ("gj", "/"),
        ("gr", "/runs"),
        ("gc", "/chains"),
        ("gt", "/timeline"),
        ("gl", "/cluster"),
        ("n", "/jobs/new"),
    ):
        expect(visit.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()  # the page listens
        for key in keys:
            visit.keyboard.press(key)
        expect(visit).to_have_url(f"{server.url}{path}")
    visit.goto("/")
    expect(visit.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()
    visit.keyboard.press("?")
    expect(visit.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Force run")
    assert_accessible(visit)


def test_the_theme_is_the_systems_until_somebody_chooses(chromium: Browser, server: ServerProcess) -> None:
    context = chromium.new_context(base_url=server.url, color_scheme="dark")
    page = context.new_page()
    paper = "getComputedStyle(document.body).backgroundColor"
    page.goto("/")
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Dark theme").click()
    light = page.evaluate(paper)
    assert light != dark
    page.goto("/runs")
    assert page.evaluate(paper) == light
    assert 'data-theme="light"' in requests.get(server.url, cookies={"chronos-theme": "light"}, timeout=60).text
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(paper) == dark
    assert [cookie for cookie in context.cookies() if cookie["name"] == "chronos-theme"] == []
    context.close()


def test_what_changes_is_shown_in_place(visit: Page, server: ServerProcess) -> None:
    server.define(name="zz-live", command="true")
    visit.goto("/?q=zz-live")
    visit.get_by_label("Check zz-live").check()
    link = visit.get_by_role("link", name="zz-live")
    link.focus()
    expect(visit.locator("table.jobs")).to_contain_text("no result yet")
    server.wait_for_end(server.run("zz-live"))
    expect(visit.locator("table.jobs .badge")).to_contain_text("succeeded")
    expect(visit.get_by_label("Check zz-live")).to_be_checked()
    expect(link).to_be_focused()


def test_an_answer_that_comes_while_something_is_asked_waits(visit: Page, server: ServerProcess) -> None:
    server.define(name="zz-asked", command="true")
    now = datetime.now(UTC)
    visit.clock.install(time=now)
    visit.clock.pause_at(now + timedelta(hours=1))  # the page asks when it is told to, and waits as long as it takes
    visit.goto("/?q=zz-asked&state=fresh")
    server.wait_for_end(server.run("zz-asked"))  # by which the job leaves the list
    held = HeldRequests(visit, "**/?q=zz-asked*")
    visit.clock.run_for(4_000)
    held.wait()
    visit.get_by_role("link", name="zz-asked").focus()
    visit.keyboard.press("r")
    dialog = visit.get_by_role("dialog", name="Force run zz-asked?")
    expect(dialog).to_be_visible()
    with visit.expect_response("**/?q=zz-asked*"):
        held.release()
    visit.clock.run_for(1)
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(visit).to_have_url(re.compile(r"/runs/\d+$"))
    assert len(server.runs("zz-asked")) == 2


def test_a_server_that_is_silent_is_told_of(visit: Page, server: ServerProcess) -> None:
    server.define(name="zz-silent", command="true")
    visit.clock.install()
    visit.goto("/?q=zz-silent")
    visit.route("**/?q=zz-silent*", lambda route: None)  # no answer at all, as of a host that is gone
    words = visit.get_by_text("The server does not answer")
    for _ in range(100):
        visit.clock.run_for(1_000)
        if words.count():
            break
    expect(words.first).to_be_attached()


def test_names_that_are_markup_or_long_fit(visit: Page, server: ServerProcess) -> None:
    server.define(name=LONG, command="true", owner=EVIL, description=EVIL, labels={"team": EVIL, "k" * 90: "v" * 150})
    visit.goto("/?q=rather+long")
    expect(visit.get_by_text(f"team={EVIL}").first).to_be_visible()
    for width in (1280, 390):
        visit.set_viewport_size({"width": width, "height": 900})
        assert visit.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
    requests.delete(f"{server.url}/api/jobs/{LONG}", timeout=60)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_the_list_is_accessible_and_pictured(
    chromium: Browser, server: ServerProcess, scheme: str, width: int
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        base_url=server.url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for name, path in {
        "jobs": "/",
        "jobs-groups": "/?group=label:team&open=etl",
        "jobs-filtered": "/?label=team%3Detl&sort=-rate",
        "jobs-selection": "/selection/pause?label=team%3Detl",
        "jobs-nothing": "/?q=nothing+like+this",
    }.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        assert_accessible(page)
    context.close()


def test_our_assets_are_small_and_block_nothing(visit: Page) -> None:
    assets = Assets(visit)
    visit.goto("/", wait_until="networkidle")
    assert 0 < assets.size() <= 100_000
    assert visit.evaluate("[...document.scripts].every((script) => script.type === 'module')")


def test_ten_thousand_jobs_stay_usable(chromium: Browser, tmp_path: Path) -> None:
    """Nothing leads here, so that none of them begins to run."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'many.db'}", data_dir=str(tmp_path), pool="process")
    server = bind("127.0.0.1:0")
    node = open_node(settings, server.address)
    fill(node.application, 10_000, 1)
    server.start(create_wsgi_app(node.application))
    context = chromium.new_context(base_url=f"http://{server.address}", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_text("1 to 50 of 10,000")).to_be_visible()
    page.get_by_role("link", name="Last page").click()
    expect(page.get_by_text("9,951 to 10,000 of 10,000")).to_be_visible()
    page.get_by_label("Search", exact=True).fill("orders-0000")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("table.jobs tbody tr").first).to_contain_text("orders-0000")
    page.goto("/?group=label:team&open=etl")
    expect(page.locator(".group")).to_have_count(5)
    page.goto("/")
    page.screenshot(path=SCREENSHOTS / "jobs-many-light-1280.png")
    context.close()
    server.close()
    node.application.pool.close()
    node.application.database.close()
