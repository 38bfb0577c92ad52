"""Define and change jobs by the form: what is typed is checked, shown as JSON and kept, whoever else edits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.assets import Assets
from tests.browser.conftest import SCREENSHOTS
from tests.browser.held import HeldRequests
from tests.cluster.server import ServerProcess

pytestmark = pytest.mark.browser

ASSETS = 100_000


@pytest.fixture
def plain(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    """A page of a browser without JavaScript."""
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def fill(page: Page, **fields: str) -> None:
    for label, text in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)


def open_group(page: Page, title: str) -> None:
    page.locator("details.group > summary", has_text=title).click()


def json_of(page: Page) -> str:
    return page.get_by_label("The same as JSON", exact=True).input_value()


def expect_json(page: Page, pattern: str) -> None:
    expect(page.get_by_label("The same as JSON", exact=True)).to_have_value(re.compile(pattern, re.DOTALL))


def document_of(server: ServerProcess, name: str) -> dict[str, object]:
    found: dict[str, object] = server.get(f"/api/jobs/{name}")
    return found


def test_a_schedule_is_built_and_previewed_while_it_is_typed(visit: Page, server: ServerProcess) -> None:
    visit.goto("/jobs/new")
    fill(visit, Name="built", Command="true")
    schedule, preview = visit.get_by_label("Schedule", exact=True), visit.locator("[data-preview]")
    visit.get_by_label("Every how many").fill("15")
    visit.get_by_label("Unit").select_option("minutes")
    expect(schedule).to_have_value("*/15 * * * *")
    expect(preview).to_contain_text("Every 15 minutes")
    expect(preview.locator(".times li")).to_have_count(10)
    visit.get_by_label("Unit").select_option("days")
    expect(schedule).to_have_value(re.compile(r"R/\d{4}-\d\d-\d\dT03:00:00/P15D"))
    visit.get_by_label("Every how many").fill("1")
    expect(schedule).to_have_value("0 3 * * *")
    visit.get_by_text("At times on days").click()
    visit.get_by_label("At what times").fill("06:30, 18:30")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        visit.get_by_label(day, exact=True).check()
    expect(schedule).to_have_value("30 6,18 * * 1-5")
    expect(preview).to_contain_text("Monday through Friday")
    visit.get_by_label("At what times").fill("06:30, 18:45")
    expect(visit.get_by_text("times with the same minutes")).to_be_visible()
    expect(schedule).to_have_value("30 6,18 * * 1-5")
    visit.get_by_text("ISO 8601", exact=True).click()
    visit.get_by_label("How many runs").fill("3")
    visit.get_by_label("When the first one is").fill("2031-05-01T04:00")
    visit.get_by_label("The period between runs").fill("P1M")
    expect(schedule).to_have_value("R3/2031-05-01T04:00:00/P1M")
    expect(preview.locator(".times li")).to_have_count(3)
    visit.get_by_label("Time zone").fill("Asia/Tokyo")
    expect(preview).to_contain_text("+09:00")
    visit.get_by_role("button", name="Create").click()
    expect(visit).to_have_url(re.compile("/jobs/built$"))
    assert document_of(server, "built")["schedule"] == "R3/2031-05-01T04:00:00/P1M"


@pytest.mark.parametrize(
    ("schedule", "panel", "label", "value"),
    [
        ("*/20 * * * *", "every", "Every how many", "20"),
        ("0 */6 * * *", "every", "Unit", "hours"),
        ("15 4 * * *", "every", "At what time", "04:15"),
        ("15 4 * * 5", "every", "On what day of the week", "5"),
        ("15 4 9 * *", "every", "On what day of the month", "9"),
        ("R/2026-01-01T05:00:00/P2W", "every", "From what day", "2026-01-01"),
        ("0 6,18 * * mon-wed", "times", "At what times", "06:00, 18:00"),
        ("0 6 1,15,L * *", "times", "On what days of the month", "1, 15, L"),
        ("0 22 * 1-3 *", "cron", "Cron: month", "1-3"),
        ("R5/2026-01-01T05:00:00/PT36H", "iso", "How many runs", "5"),
    ],
)
def test_a_schedule_is_read_back_into_the_builder(
    visit: Page, schedule: str, panel: str, label: str, value: str
) -> None:
    visit.goto("/jobs/new")
    fill(visit, Schedule=schedule)
    expect(visit.locator(f"[data-panel={panel}]")).to_be_visible()
    expect(visit.get_by_label(label, exact=True)).to_have_value(value)
    expect(visit.get_by_label("Schedule", exact=True)).to_have_value(schedule)


def test_a_schedule_that_the_builder_cannot_show_stays(visit: Page) -> None:
    visit.goto("/jobs/new")
    fill(visit, Schedule="@daily")
    expect(visit.get_by_text("The builder cannot show this schedule")).to_be_visible()
    expect(visit.get_by_label("Schedule", exact=True)).to_have_value("@daily")


def test_what_is_wrong_is_told_at_its_field(visit: Page) -> None:
    visit.goto("/jobs/new")
    fill(visit, Name="a/b", Schedule="61 * * * *")
    schedule = visit.get_by_label("Schedule", exact=True)
    expect(visit.locator("[id='schedule-wrong']")).to_contain_text("minute is")
    expect(schedule).to_have_attribute("aria-invalid", "true")
    assert "schedule-wrong" in (schedule.get_attribute("aria-describedby") or "")
    expect(visit.locator("[id='name-wrong']")).to_contain_text("is not allowed")
    expect(visit.locator("[id='command-wrong']")).to_be_hidden()  # it was not come to yet
    open_group(visit, "When it fails")
    fill(visit, Retries="few")
    expect(visit.locator("[id='retries-wrong']")).to_contain_text("must be a number")
    visit.get_by_role("button", name="Create").click()
    alert = visit.get_by_role("alert")
    expect(alert.get_by_role("listitem")).to_have_count(4)
    expect(visit.get_by_label("Name", exact=True)).to_be_focused()
    expect(visit.get_by_label("Retries", exact=True)).to_have_value("few")
    assert_accessible(visit)
    fill(visit, Name="ab", Schedule="1 * * * *")
    expect(alert.get_by_role("listitem")).to_have_count(2)  # what is mended is no longer said
    fill(visit, Retries="1", Command="true")
    expect(alert).to_be_hidden()
    expect(visit.locator("p.wrong:visible")).to_have_count(0)


def test_parents_are_found_by_keyboard(visit: Page, server: ServerProcess) -> None:
    for name in ("found one", "found two", "found three"):
        server.define(name=name, command="true")
    visit.goto("/jobs/new")
    fill(visit, Name="child", Command="true")
    visit.get_by_label("After other jobs").check()
    search = visit.get_by_role("combobox", name="Parents", exact=True)
    options = visit.get_by_role("listbox", name="Jobs").get_by_role("option")
    chosen = options.and_(visit.get_by_role("option", selected=True))  # once the list is that of all that was typed
    search.press_sequentially("found")
    expect(chosen).to_have_text("found one")
    expect(options).to_have_count(3)
    expect(search).to_have_attribute("aria-expanded", "true")
    assert_accessible(visit)
    search.press("ArrowDown")
    expect(chosen).to_have_text("found three")
    search.press("Enter")
    expect(visit.get_by_role("button", name="Remove found three")).to_be_visible()
    search.press_sequentially("found")
    expect(options).to_have_count(2)
    search.press("Escape")
    expect(options).to_have_count(0)
    search.fill("")
    search.press_sequentially("two")
    expect(chosen).to_have_text("found two")
    expect(options).to_have_count(1)
    search.press("Enter")
    expect_json(visit, '"found three",\\s+"found two"')
    search.press("Backspace")
    expect(visit.get_by_role("button", name="Remove found two")).to_have_count(0)
    visit.get_by_role("button", name="Create").click()
    expect(visit).to_have_url(re.compile("/jobs/child$"))
    assert document_of(server, "child")["parents"] == ["found three"]


def test_who_types_a_parent_and_goes_on_at_once_gets_that_one(visit: Page, server: ServerProcess) -> None:
    for name in ("quick load", "quick loads", "quick mail", "other"):
        server.define(name=name, command="true")
    visit.goto("/jobs/new")
    fill(visit, Name="hasty", Command="true")
    visit.get_by_label("After other jobs").check()
    search = visit.get_by_role("combobox", name="Parents", exact=True)
    search.fill("other")
    expect(visit.get_by_role("listbox", name="Jobs").get_by_role("option")).to_have_count(1)
    held: list[Route] = []
    visit.route("**/api/jobs?*", lambda route: held.append(route))
    search.fill("quick load")
    search.press("Enter")  # while the list is still that of "other"
    expect(visit.get_by_role("button", name="Remove quick load", exact=True)).to_be_visible()
    expect(visit.get_by_role("button", name="Remove other")).to_have_count(0)
    search.fill("quick mail")
    visit.get_by_role("button", name="Create").click()
    expect(visit).to_have_url(re.compile("/jobs/hasty$"))
    assert document_of(server, "hasty")["parents"] == ["quick load", "quick mail"]


def test_an_answer_that_is_late_is_no_list_for_what_was_typed_since(visit: Page, server: ServerProcess) -> None:
    for name in ("late load", "late mail"):
        server.define(name=name, command="true")
    visit.goto("/jobs/new")
    fill(visit, Name="slow", Command="true")
    visit.get_by_label("After other jobs").check()
    search = visit.get_by_role("combobox", name="Parents", exact=True)
    held = HeldRequests(visit, "**/api/jobs?*")
    search.fill("late load")
    held.wait()
    visit.clock.install()
    visit.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))  # so that nothing is asked about what follows
    search.fill("late mail")
    with visit.expect_response("**/api/jobs?*"):
        held.release()
    expect(visit.get_by_role("listbox", name="Jobs").get_by_role("option")).to_have_count(0)
    search.press("Enter")
    expect(visit.get_by_role("button", name="Remove late mail", exact=True)).to_be_visible()
    expect(visit.get_by_role("button", name="Remove late load")).to_have_count(0)


def test_rows_are_added_and_removed_and_secrets_are_hidden(visit: Page, server: ServerProcess) -> None:
    variables = [{"name": "HOST", "value": "here"}, {"name": "DB_PASSWORD", "value": "hunter2"}]
    server.define(name="rows", command="true", environmentVariables=variables)
    visit.goto("/jobs/rows/edit")
    secret = visit.get_by_label("Value of variable 2", exact=True)
    expect(secret).to_have_attribute("type", "password")
    assert "hunter2" not in json_of(visit)
    visit.get_by_role("button", name="Show the value of variable 2").click()
    expect(secret).to_have_attribute("type", "text")
    visit.get_by_role("button", name="Remove variable 1").click()
    expect(visit.get_by_label("Name of variable 1", exact=True)).to_have_count(0)
    expect(visit.get_by_role("button", name="Remove variable 2")).to_be_focused()
    visit.get_by_role("button", name="Add a variable").click()
    expect(visit.get_by_label("Name of variable 3", exact=True)).to_be_focused()
    visit.keyboard.type("API_TOKEN")
    visit.get_by_label("Value of variable 3", exact=True).fill("s3cret")
    expect(visit.get_by_label("Value of variable 3", exact=True)).to_have_class("secret")
    expect_json(visit, "API_TOKEN.*•••")
    assert "s3cret" not in json_of(visit)
    visit.get_by_role("button", name="Show secrets").click()
    expect_json(visit, "hunter2.*s3cret")
    open_group(visit, "Where")
    visit.get_by_label("Image", exact=True).fill("busybox:1")
    visit.get_by_role("button", name="Add a volume").click()
    visit.get_by_label("Folder here of volume 1").fill("/srv/data")
    visit.get_by_label("In the container of volume 1").fill("/data")
    visit.get_by_label("Mode of volume 1").select_option("RO")
    visit.get_by_role("button", name="Add a parameter").click()
    visit.get_by_label("Key of parameter 1").fill("shm-size")
    visit.get_by_label("Value of parameter 1").fill("64m")
    visit.get_by_role("button", name="Save").click()
    expect(visit).to_have_url(re.compile("/jobs/rows$"))
    document = document_of(server, "rows")
    assert document["environmentVariables"] == [variables[1], {"name": "API_TOKEN", "value": "s3cret"}]
    assert document["container"] == {
        "image": "busybox:1",
        "volumes": [{"hostPath": "/srv/data", "containerPath": "/data", "mode": "RO"}],
        "parameters": [{"key": "shm-size", "value": "64m"}],
    }


def test_form_and_json_follow_each_other_and_keep_what_they_do_not_know(visit: Page, server: ServerProcess) -> None:
    server.define(name="sides", command="one", rack={"nobody": ["knows"]}, DB=[1, 2])
    visit.goto("/jobs/sides/edit")
    side = visit.get_by_label("The same as JSON", exact=True)
    fill(visit, Command="two")
    expect_json(visit, '"command": "two"')
    document = json.loads(json_of(visit))
    assert document["rack"] == {"nobody": ["knows"]}
    side.fill(json.dumps({**document, "retries": 7, "shelf": "new", "labels": {"team": "etl"}}))
    open_group(visit, "When it fails")
    expect(visit.get_by_label("Retries", exact=True)).to_have_value("7")
    open_group(visit, "Owner")
    expect(visit.get_by_label("Key of label 1")).to_have_value("team")
    fill(visit, Description="after the JSON")
    expect_json(visit, '"shelf": "new".*after the JSON')
    side.fill('{"name": "sides", "command": }')
    expect(visit.locator("[id='json-wrong']")).to_contain_text("Line 1, column 30")
    expect(visit.get_by_label("Retries", exact=True)).to_have_value("7")
    visit.get_by_role("button", name="Save").click()
    expect(side).to_be_focused()  # what cannot be read is not thrown away
    expect(side).to_have_value('{"name": "sides", "command": }')
    side.fill(json.dumps({**document, "command": "three", "shelf": "new"}))
    visit.get_by_role("button", name="Save").click()  # at once, before the fields have followed
    expect(visit).to_have_url(re.compile("/jobs/sides$"))
    saved = document_of(server, "sides")
    assert (saved["command"], saved["shelf"], saved["rack"], saved["DB"]) == (
        "three",
        "new",
        {"nobody": ["knows"]},
        [1, 2],
    )


def test_what_is_typed_while_the_json_is_taken_over_stays(visit: Page) -> None:
    visit.goto("/jobs/new")
    open_group(visit, "Owner, notifications, labels")
    owner = visit.get_by_label("Owner", exact=True)
    held = HeldRequests(visit, "**/jobs/new")
    visit.get_by_label("The same as JSON", exact=True).fill('{"name": "taken over", "command": "true"}')
    held.wait()
    owner.fill("ann@example.org")
    held.wait(2)
    held.release()
    expect(visit.get_by_label("Name", exact=True)).to_have_value("taken over")
    expect(owner).to_have_value("ann@example.org")
    expect(owner).to_be_focused()
    expect_json(visit, '"owner": "ann@example.org"')


def test_two_edits_at_once_are_put_together(chromium: Browser, visit: Page, server: ServerProcess) -> None:
    server.define(name="shared", command="echo one", retries=1, rack=1)
    context = chromium.new_context(base_url=server.url)
    other = context.new_page()
    visit.goto("/jobs/shared/edit")
    other.goto("/jobs/shared/edit")
    fill(other, Command="echo theirs", Description="theirs alone")
    other.get_by_role("button", name="Save").click()
    expect(other).to_have_url(re.compile("/jobs/shared$"))
    context.close()
    fill(visit, Command="echo mine")
    open_group(visit, "Resources")
    fill(visit, Timeout="PT1H")
    visit.get_by_role("button", name="Save").click()
    expect(visit.get_by_role("heading", name="was changed by someone else meanwhile")).to_be_visible()
    row = visit.get_by_role("row", name="command")
    for words in ("echo one", "echo mine", "echo theirs"):
        expect(row).to_contain_text(words)
    assert_accessible(visit)
    visit.get_by_label("command: theirs").check()
    visit.screenshot(path=SCREENSHOTS / "job-conflict-light-1280.png", full_page=True)
    visit.get_by_role("button", name="Put them together in the form").click()
    expect(visit.get_by_label("Command", exact=True)).to_have_value("echo theirs")
    expect(visit.get_by_label("Timeout", exact=True)).to_have_value("PT1H")
    visit.get_by_role("button", name="Save").click()
    expect(visit).to_have_url(re.compile("/jobs/shared$"))
    document = document_of(server, "shared")
    assert [document[name] for name in ("command", "description", "timeout", "retries", "rack")] == [
        *("echo theirs", "theirs alone", "PT1H", 1, 1)
    ]


def test_the_form_without_javascript(plain: Page, server: ServerProcess) -> None:
    plain.goto("/jobs/new")
    expect(plain.locator("[data-builder]")).to_be_hidden()
    fill(plain, Name="plain-form", Command="true", Schedule="0 3 * * *")
    open_group(plain, "Environment")
    fill(plain, Name_of_variable_1="ONE", Value_of_variable_1="1")
    plain.locator("[data-rows-of=environmentVariables]").get_by_role("button", name="More rows").click()
    fill(plain, Name_of_variable_3="TWO", Value_of_variable_3="2")
    plain.get_by_role("button", name="Edit as JSON").click()
    whole = plain.get_by_label("The job as JSON")
    whole.fill(json.dumps({**json.loads(whole.input_value()), "rack": 1, "retries": "few"}))
    plain.get_by_role("button", name="Create").click()
    expect(plain.get_by_role("alert")).to_contain_text("retries is")
    plain.get_by_role("button", name="Back to the form").click()
    expect(plain.get_by_label("Retries", exact=True)).to_have_value("few")
    fill(plain, Retries="4")
    plain.get_by_label("Command", exact=True).fill("")
    plain.get_by_role("button", name="Create").click()
    expect(plain.get_by_role("alert")).to_contain_text("command is empty")
    fill(plain, Command="true")
    plain.get_by_label("Name", exact=True).press("Enter")
    expect(plain).to_have_url(re.compile("/jobs/plain-form$"))
    document = document_of(server, "plain-form")
    assert [document[name] for name in ("rack", "retries", "schedule")] == [1, 4, "0 3 * * *"]
    assert document["environmentVariables"] == [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_the_form_is_pictured(chromium: Browser, server: ServerProcess, scheme: str, width: int) -> None:
    server.define(name="load orders", command="true")
    server.define(
        name="pictured form",
        description="Orders of the day into the warehouse",
        command='./load.sh --day "$CHRONOS_SCHEDULED_TIME"\necho done',
        schedule="30 3 * * 1-5",
        scheduleTimeZone="Europe/Berlin",
        environmentVariables=[
            {"name": "DB_HOST", "value": "db.internal"},
            {"name": "DB_PASSWORD", "value": "hunter2"},
        ],
        container={
            "image": "busybox:1",
            "network": "BRIDGE",
            "volumes": [{"hostPath": "/srv/data", "containerPath": "/data", "mode": "RO"}],
        },
        retries=5,
        labels={"team": "etl"},
        owner="ann@example.com",
        timeout="PT1H",
        rack={"x": 1},
    )
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        base_url=server.url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    assets = Assets(page)
    page.goto("/jobs/pictured%20form/edit", wait_until="networkidle")
    expect(page.locator("[data-preview] .times li")).to_have_count(10)
    assert 0 < assets.size() <= ASSETS
    page.screenshot(path=SCREENSHOTS / f"job-form-{scheme}-{width}.png")
    page.screenshot(path=SCREENSHOTS / f"job-form-whole-{scheme}-{width}.png", full_page=True)
    assert_accessible(page)
    if width < 720:
        page.get_by_role("button", name="JSON", exact=True).click()
        expect(page.get_by_label("The same as JSON", exact=True)).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()
