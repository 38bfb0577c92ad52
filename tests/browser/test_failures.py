"""After a failure: run the rest of the chain from there, overrule it, force a run that differs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cluster.server import ServerProcess, wait_for

pytestmark = pytest.mark.browser


def define_chain(server: ServerProcess, first: str, then: str) -> None:
    """Of two jobs, the first fails until the file with its name is there."""
    command = f'test -e "$CHRONOS_SHARED_DIR/{first}" && echo "ROWS=17" > "$CHRONOS_OUTPUT_FILE"'
    server.define(name=first, command=command, retries=0)
    variable = f"CHRONOS_PARENT_{first.upper()}_ROWS"
    server.define(name=then, command=f'echo "rows: ${variable}"', parents=[first], triggerRule="all_success")


def test_a_chain_that_failed_is_run_again_from_there(visit: Page, server: ServerProcess) -> None:
    define_chain(server, "extract", "report")
    failed = server.run("extract")
    server.wait_for_end(failed)
    (server.shared_dir / "extract").touch()
    visit.goto(f"/runs/{failed}")
    expect(visit.get_by_role("status")).to_contain_text("failed")
    visit.get_by_role("button", name="Run again from here").click()
    expect(visit.get_by_role("status")).to_contain_text("succeeded")
    expect(visit.locator(".facts")).to_contain_text(f"began with run #{failed}")
    expect(visit.get_by_role("row", name="ROWS 17")).to_be_visible()
    wait_for("the report", lambda: server.runs("report"))
    visit.goto(f"/runs/{server.runs('report')[0]['id']}")
    expect(visit.locator('[data-log*="stdout"]')).to_contain_text("rows: 17")
    expect(visit.get_by_role("status")).to_contain_text("succeeded")


def test_a_failure_is_overruled_with_a_note(visit: Page, server: ServerProcess) -> None:
    define_chain(server, "load", "publish")
    failed = server.run("load")
    server.wait_for_end(failed)
    visit.goto(f"/runs/{failed}")
    visit.get_by_text("Mark successful …").click()
    visit.get_by_label("Why").fill("the rows came by mail")
    visit.get_by_role("button", name="Mark successful").click()
    expect(visit.get_by_text("marked successful: the rows came by mail")).to_be_visible()
    expect(visit.get_by_role("status")).to_contain_text("failed")
    run = wait_for("the job after it", lambda: server.runs("publish"))[0]
    visit.goto(f"/runs/{run['id']}")
    expect(visit.locator(".facts")).to_contain_text(f"run #{failed}")


@pytest.mark.parametrize("with_modules", [True, False])
def test_a_run_is_forced_with_something_else(chromium: Browser, server: ServerProcess, with_modules: bool) -> None:
    server.define(name="differs", command='echo "$WHO at $CHRONOS_SCHEDULED_TIME:"')
    context = chromium.new_context(base_url=server.url, java_script_enabled=with_modules)
    page = context.new_page()
    page.goto("/jobs/differs")
    page.get_by_text("Force run with …").click()
    page.get_by_label("Arguments").fill("one\ntwo")
    page.get_by_label("Environment").fill("WHO=ann")
    page.get_by_label("Scheduled time").fill("soon")
    page.get_by_role("button", name="Start this run").click()
    expect(page.get_by_text("must be a time such as")).to_be_visible()
    page.get_by_label("Scheduled time").fill("2026-05-04T06:00")
    page.get_by_role("button", name="Start this run").click()
    expect(page.get_by_role("heading", name=re.compile(r"Run \d+"))).to_be_visible()
    server.wait_for_end(int(page.url.rsplit("/", 1)[1]))
    page.reload()
    expect(page.locator("pre").first).to_have_text("ann at 2026-05-04T06:00:00+00:00: one two\n")
    context.close()


def test_the_form_is_not_taken_away_while_it_is_filled(visit: Page, server: ServerProcess) -> None:
    server.define(name="typing", command="true")
    visit.clock.install()
    visit.goto("/jobs/typing")
    visit.get_by_text("Force run with …").click()
    visit.get_by_label("Environment").fill("WHO=ann")
    visit.locator("dialog h2").click()  # out of the field
    with visit.expect_request("**/jobs/typing/run-with") as sent:
        visit.clock.run_for(10_000)  # longer than the page waits before it looks again
        expect(visit.get_by_label("Environment")).to_have_value("WHO=ann")
        visit.get_by_role("button", name="Start this run").click()
    assert "WHO%3Dann" in (sent.value.post_data or "")
