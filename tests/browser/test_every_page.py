"""Every page that has no test of its looks elsewhere: accessible in both themes, no wider than a phone, small, and
nothing in it that the policy for content refuses."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.assets import Assets
from tests.browser.conftest import define_calendar
from tests.cluster.server import ServerProcess

EVIL = "<script>document.title='taken'</script>"
MOST_BYTES = 100_000  # of sheets and modules
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (390, "dark"))


@pytest.fixture(scope="module")
def job(server: ServerProcess) -> str:
    """A job with a run, two revisions, and markup where text belongs."""
    define_calendar(server, "works", description=EVIL, dates=["2026-12-24"])
    for description in ("first", EVIL):
        server.define(name="page", command=f'echo "{EVIL}"', schedule="0 3 * * *", description=description)
    server.wait_for_end(server.run("page"))
    return "page"


def test_it_is_sound(chromium: Browser, server: ServerProcess, job: str) -> None:
    context = chromium.new_context(base_url=server.url)
    page = context.new_page()
    mistakes: list[str] = []
    assets = Assets(page)
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda line: mistakes.append(line.text) if "Content Security Policy" in line.text else None)
    for path in (
        "/runs",
        "/calendars",
        "/calendars/works/edit",
        "/limits",
        "/limits/new",
        "/backfills",
        f"/jobs/{job}/backfill",
        f"/jobs/{job}/revisions",
        f"/jobs/{job}/revisions/2",
        "/api/docs",
        "/jobs/nothing-here",
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        size = assets.size()
        assert 0 < size <= MOST_BYTES, (path, size)
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
            if path != "/api/docs":  # one long list of the same, over which axe-core takes as long as over all others
                assert_accessible(page)
        assert page.title() != "taken"
    assert mistakes == []
    context.close()


def test_a_long_name_without_a_blank_fits_on_a_phone(chromium: Browser, server: ServerProcess) -> None:
    name = "extract_orders_" * 12
    server.define(name=name, command="true", schedule="0 3 * * *")
    server.define(name=f"after_{name}", command="true", parents=[name])
    run_id = server.run(name)
    server.wait_for_end(run_id)
    context = chromium.new_context(base_url=server.url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    wide = []
    for path in (
        f"/jobs/{name}",
        f"/jobs/{name}/edit",
        f"/jobs/{name}/delete",
        f"/jobs/{name}/backfill",
        f"/jobs/{name}/revisions",
        f"/jobs/{name}/revisions/1",
        f"/jobs/new?copy=after_{name}",
        f"/runs/{run_id}",
        f"/runs/{run_id}/definition",
        "/runs",
        f"/selection/pause?checked=on&name={name}",
        f"/chains?job={name}",
        "/timeline",
        "/cluster",
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        wide += [(path, width)] if width > 390 else []
    context.close()
    assert wide == []
