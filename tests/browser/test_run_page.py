"""The page of a run: its log as a terminal would show it, searched, followed, and of any length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SCREENSHOTS
from tests.browser.held import HeldRequests
from tests.cluster.server import ServerProcess, wait_for

pytestmark = pytest.mark.browser

COLOURED = r"""
printf 'Loading \033[1;34mwarehouse\033[0m from \033[4ms3://bucket/orders\033[0m\n'
printf '\033[32mOK\033[0m 1204 rows, \033[33mwarning:\033[0m 3 rows without a date\n'
for i in 10 40 80 100; do printf "progress $i%%\r"; done
printf '\nTrue \033[38;2;255;128;0mcolours\033[0m, \033[38;5;201mof 256\033[0m, '
printf '\033[7minverse\033[0m, \033[41mground\033[0m\n'
echo '<script>document.title = "taken"</script><img src=x onerror=alert(1)>'
for i in $(seq 20); do echo "row $i of the batch, customer $i, amount $i.50"; done
printf '\033[31mTraceback:\033[0m cannot reach db-7\nretry later\n' >&2
exit 75
"""
LINES = 1_400_000
MOST_NODES = 15_000
# The processor time of the page for one thing that somebody does, against that of putting 10,000 elements on a page
# of the same machine: no step grows with the log.
MOST_WORK = 8.0
REFERENCE = """
const box = document.body.appendChild(document.createElement('pre'));
for (let number = 0; number < 10000; number += 1) {
    box.appendChild(document.createElement('span')).textContent = `element ${number}\\n`;
}
box.getBoundingClientRect();
box.remove();
"""
PLACE = "() => document.querySelector('input[type=range]').valueAsNumber"
# Counts what makes a page jump, from its first moment on.
MEASURES = """
window.shifted = 0;
const count = (each) => { if (!each.hadRecentInput) shifted += each.value; };
const jumps = new PerformanceObserver((list) => list.getEntries().forEach(count));
jumps.observe({ type: 'layout-shift', buffered: true });
// What was drawn until now, after which it counts anew; the page tells of it a little later by itself.
window.takeShifted = async () => {
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    jumps.takeRecords().forEach(count);
    const taken = shifted;
    shifted = 0;
    return taken;
};
"""


class Work:
    """The processor time that a page needs for one step after another."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._before = self._total()
        page.evaluate(REFERENCE)
        self._reference = self._total() - self._before
        self._before += self._reference
        self.steps: list[float] = []

    def _total(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")

    def step(self) -> None:
        """A step has been done."""
        total = self._total()
        self.steps.append((total - self._before) / self._reference)
        self._before = total

    def report(self, page: Page) -> int:
        """How many elements the page has; prints that and the most work of a step."""
        count: int = page.evaluate("document.getElementsByTagName('*').length")
        most = f"{max(self.steps):.2f} x {self._reference * 1000:.0f} ms"
        print(f"at most {most} of work in one of {len(self.steps)} steps, {count} elements")
        return count


@pytest.fixture(scope="module")
def coloured(server: ServerProcess) -> int:
    """A failed run of a job in a chain, with both streams and a secret."""
    server.define(
        name="load_orders",
        command=COLOURED,
        retries=1,
        retryDelay=0,
        environmentVariables=[{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "REGION", "value": "eu"}],
    )
    server.define(name="report_orders", command="true", parents=["load_orders"], triggerRule="all_done")
    run_id = server.run("load_orders", arguments=["--day", "2026-11-20"])
    server.wait_for_end(run_id)
    return run_id


@pytest.fixture(scope="module")
def large(server: ServerProcess) -> int:
    """A run that has written more than 100 MB."""
    script = (
        "import sys\n"
        f"for i in range({LINES}):\n"
        "    sys.stdout.write(f'{i:08d} the quick brown fox jumps over the lazy dog, then over all others\\n')\n"
    )
    server.define(name="large", command=f'python3 -c "{script}"', mem=512, retries=0)
    run_id = server.run("large")
    assert server.wait_for_end(run_id, 180)["state"] == "succeeded"
    return run_id


@pytest.fixture
def measured(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.add_init_script(MEASURES)
    page = context.new_page()
    yield page
    context.close()


def log(page: Page, stream: str = "stdout") -> Locator:
    return page.locator(f'pre[data-log*="stream={stream}"]')


def pane(page: Page, stream: str = "stdout") -> Locator:
    return page.locator(f'[data-stream="{stream}"]')


def comes_above(page: Page, place: float) -> bool:
    """Scrolls up. What was read since the last time may have brought down again who was at the top already."""
    log(page).evaluate("box => { box.scrollTop = 0; }")
    return bool(page.evaluate(PLACE) < place)


def at_end(page: Page, stream: str = "stdout") -> bool:
    box = log(page, stream)
    return bool(box.evaluate("box => box.scrollHeight - box.clientHeight - box.scrollTop < 30"))


def test_colours_and_carriage_returns_are_shown_as_a_terminal_would(visit: Page, coloured: int) -> None:
    visit.goto(f"/runs/{coloured}")
    output = log(visit)
    expect(output).to_contain_text("progress 100%")
    expect(output).not_to_contain_text("progress 10%")
    expect(output.get_by_text("warehouse", exact=True)).to_have_class("ansi-b ansi-fore-4")
    expect(output.get_by_text("s3://bucket/orders")).to_have_css("text-decoration-line", "underline")
    expect(output.get_by_text("colours")).to_have_css("color", "rgb(255, 128, 0)")
    expect(output.get_by_text("of 256")).to_have_css("color", "rgb(255, 0, 255)")
    expect(output.get_by_text("ground")).to_have_css("background-color", "rgb(140, 29, 24)")
    expect(log(visit, "stderr").get_by_text("Traceback:")).to_have_class("ansi-fore-1")


def test_what_a_task_prints_never_becomes_markup(visit: Page, coloured: int) -> None:
    visit.goto(f"/runs/{coloured}")
    expect(log(visit)).to_contain_text('<script>document.title = "taken"</script><img src=x onerror=alert(1)>')
    expect(log(visit).locator("script, img")).to_have_count(0)
    assert "taken" not in visit.title()


def test_streams_are_switched_and_the_address_keeps_which(visit: Page, coloured: int) -> None:
    visit.goto(f"/runs/{coloured}")
    expect(log(visit)).to_be_visible()
    expect(log(visit, "stderr")).to_be_visible()  # it failed: both are worth a look
    visit.get_by_role("link", name="Errors").click()
    expect(log(visit)).to_be_hidden()
    expect(visit).to_have_url(re.compile("view=stderr"))
    visit.reload()
    expect(log(visit)).to_be_hidden()
    expect(log(visit, "stderr")).to_contain_text("retry later")
    expect(visit.get_by_role("link", name="Errors 50 bytes")).to_be_visible()


def test_search_marks_counts_and_goes_round(visit: Page, coloured: int) -> None:
    visit.goto(f"/runs/{coloured}?view=stdout")
    expect(log(visit)).to_contain_text("row 20")
    field, count = visit.get_by_label("Search the output"), pane(visit).locator("[data-count]")
    field.fill("ROW 1")
    expect(count).to_have_text("1 of 11")
    expect(log(visit).locator("mark")).to_have_count(11)
    expect(log(visit).locator("mark.current")).to_have_text("row 1")
    field.press("Enter")
    expect(count).to_have_text("2 of 11")
    expect(log(visit).locator(".row", has=visit.locator("mark.current"))).to_contain_text("row 10 of")
    pane(visit).get_by_role("button", name="Previous match").click()
    pane(visit).get_by_role("button", name="Previous match").click()
    expect(count).to_have_text("11 of 11")
    field.fill("nowhere")
    expect(count).to_have_text("not found")
    field.press("Escape")
    expect(log(visit).locator("mark")).to_have_count(0)


def test_long_lines_wrap_or_not_and_the_choice_stays(visit: Page, server: ServerProcess) -> None:
    server.define(name="wide", command="head -c 3000 /dev/zero | tr '\\0' x; echo; echo end")
    run_id = server.run("wide")
    server.wait_for_end(run_id)
    visit.goto(f"/runs/{run_id}")
    expect(log(visit)).to_contain_text("end")
    is_wide = "box => box.scrollWidth > box.clientWidth"
    assert not log(visit).evaluate(is_wide)
    visit.get_by_label("Wrap lines").uncheck()
    assert log(visit).evaluate(is_wide)
    visit.reload()
    expect(visit.get_by_label("Wrap lines")).not_to_be_checked()
    expect(log(visit)).to_contain_text("end")
    assert log(visit).evaluate(is_wide)


def test_the_whole_is_downloaded(visit: Page, server: ServerProcess, coloured: int, tmp_path: Path) -> None:
    visit.goto(f"/runs/{coloured}")
    with visit.expect_download() as started:
        pane(visit, "stderr").get_by_role("link", name="Download").click()
    assert started.value.suggested_filename == f"run-{coloured}-try-2-stderr.txt"
    started.value.save_as(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == b"\x1b[31mTraceback:\x1b[0m cannot reach db-7\nretry later\n"


def test_it_follows_unless_somebody_reads_and_nothing_jumps(measured: Page, server: ServerProcess) -> None:
    page = measured
    gate = server.shared_dir / "go-on"
    command = (
        "i=0; while [ $i -lt 300 ]; do echo early $i; i=$((i+1)); done;"
        ' while [ ! -e "$CHRONOS_SHARED_DIR/go-on" ]; do sleep 0.1; done; echo late; sleep 600'
    )
    server.define(name="followed", command=command, gracePeriod=1)
    run_id = server.run("followed")
    page.goto(f"/runs/{run_id}")
    expect(log(page)).to_contain_text("early 299")
    expect(page.get_by_role("status")).to_contain_text("running")
    follow = pane(page).get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    wait_for("the end of the log", lambda: at_end(page))
    page.evaluate("takeShifted()")
    log(page).evaluate("box => { box.scrollTop = 200; }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    gate.touch()
    expect(log(page)).to_contain_text("late")
    assert log(page).evaluate("box => box.scrollTop") == 200
    follow.click()
    wait_for("the end of the log", lambda: at_end(page))
    assert page.evaluate("takeShifted()") < 0.01
    server.kill_run(run_id)
    expect(page.get_by_role("status")).to_contain_text("killed")
    expect(log(page)).to_have_attribute("data-state", "complete")


def test_the_log_goes_over_to_the_next_try_by_itself(visit: Page, server: ServerProcess) -> None:
    command = (
        "echo this is try $CHRONOS_ATTEMPT; test $CHRONOS_ATTEMPT = 2 && exit 0;"
        ' while [ ! -e "$CHRONOS_SHARED_DIR/fail" ]; do sleep 0.1; done; exit 1'
    )
    server.define(name="retried", command=command, retries=1, retryDelay=0)
    run_id = server.run("retried")
    visit.goto(f"/runs/{run_id}")
    expect(log(visit)).to_contain_text("this is try 1")
    (server.shared_dir / "fail").touch()
    expect(log(visit)).to_contain_text("this is try 2")
    expect(log(visit)).not_to_contain_text("this is try 1")
    expect(visit.get_by_role("heading", name="Log try 2")).to_be_visible()
    expect(visit.get_by_role("status")).to_contain_text("succeeded")
    visit.get_by_role("row", name=re.compile("^1 failed|^try 1")).get_by_role("link").click()
    expect(log(visit)).to_contain_text("this is try 1")


def test_who_scrolls_up_while_something_is_read_gets_what_comes_before(visit: Page, server: ServerProcess) -> None:
    server.define(
        name="long", command="i=0; while [ $i -lt 9000 ]; do echo row $i of many; i=$((i+1)); done; sleep 600"
    )
    run_id = server.run("long")
    visit.goto(f"/runs/{run_id}")
    expect(log(visit)).to_contain_text("row 8999")
    expect(log(visit)).to_have_attribute("data-state", "live")
    held = HeldRequests(visit, "**/logs?*stdout*")
    held.wait()
    first = log(visit).locator(".row").first.inner_text()
    log(visit).evaluate("box => { box.scrollTop = 0; return new Promise(requestAnimationFrame); }")
    log(visit).evaluate("box => new Promise(requestAnimationFrame)")
    held.release()
    visit.wait_for_function("(first) => document.querySelector('pre .row').innerText !== first", arg=first)
    server.kill_run(run_id)


def test_who_scrolls_up_before_the_script_has_read_stays_there(visit: Page, large: int) -> None:
    held = HeldRequests(visit, "**/logs?*")
    visit.goto(f"/runs/{large}")
    held.wait()
    box = log(visit)
    below = "box => box.scrollHeight - box.clientHeight - box.scrollTop"
    box.evaluate("box => { box.scrollTop = box.scrollHeight; return new Promise(requestAnimationFrame); }")
    box.evaluate("box => { box.scrollTop -= 500; return new Promise(requestAnimationFrame); }")
    held.release()
    expect(box).to_have_attribute("data-state", "complete")
    assert abs(box.evaluate(below) - 500) < 2


def test_a_hundred_megabytes_do_not_freeze_the_page(measured: Page, large: int) -> None:
    page = measured
    page.goto("/runs")
    work = Work(page)
    page.goto(f"/runs/{large}")
    output, count = log(page), pane(page).locator("[data-count]")
    expect(output).to_contain_text(f"{LINES - 1:08d}")
    expect(pane(page).locator("[data-note]")).to_have_text(re.compile(r"^10\d\.\d MB$"))
    work.step()
    before = first = int(output.locator(".row").first.inner_text()[:8])
    for _ in range(12):  # back through far more than the page keeps
        output.evaluate("box => { box.scrollTop = 0; }")
        page.wait_for_function(
            "(seen) => Number(document.querySelector('pre .row').textContent.slice(0, 8)) < seen", arg=before
        )
        before = int(output.locator(".row").first.inner_text()[:8])
        work.step()
    assert before < first - 5000
    slider = page.get_by_label("Place in stdout")
    slider.evaluate("each => { each.value = each.max / 2; each.dispatchEvent(new Event('change')); }")
    expect(output).to_contain_text(f"{LINES // 2:08d}")
    work.step()
    page.get_by_label("Search the output").fill("00123456 the")
    expect(count).to_have_text("1 of 1")
    expect(output.locator("mark.current")).to_have_text("00123456 the")
    work.step()
    page.get_by_label("Search the output").fill("fox")
    expect(count).to_have_text(re.compile(r"of 10,000\+$"))
    work.step()
    pane(page).get_by_role("button", name="To the end").click()
    expect(output).to_contain_text(f"{LINES - 1:08d}")
    work.step()
    assert work.report(page) < MOST_NODES
    assert max(work.steps) < MOST_WORK


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("one-line", "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end"),
        ("empty-lines", "yes '' | head -n 3000000; echo end"),
        ("gaudy", r"""yes "$(printf '\033[31mr\033[32mg\033[34mb')" | head -c 8000000; echo; echo end"""),
    ],
)
def test_odd_logs_do_not_freeze_it_either(measured: Page, server: ServerProcess, name: str, command: str) -> None:
    server.define(name=name, command=command, mem=512, retries=0)
    run_id = server.run(name)
    server.wait_for_end(run_id, 120)
    measured.goto("/runs")
    work = Work(measured)
    measured.goto(f"/runs/{run_id}")
    expect(log(measured)).to_have_attribute("data-state", "complete")
    expect(log(measured)).to_contain_text("end")
    work.step()
    for _ in range(3):
        seen = measured.evaluate(PLACE)
        wait_for("what comes before", partial(comes_above, measured, seen))
        work.step()
    assert work.report(measured) < MOST_NODES
    assert max(work.steps) < 2 * MOST_WORK


def test_without_javascript_the_end_and_the_way_back(chromium: Browser, server: ServerProcess, large: int) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/runs/{large}?view=stdout")
    expect(log(page)).to_contain_text(f"{LINES - 1:08d}")
    page.get_by_role("link", name="Earlier").first.click()
    expect(log(page)).not_to_contain_text(f"{LINES - 1:08d}")
    page.get_by_role("link", name="Beginning").first.click()
    expect(log(page)).to_contain_text("00000000 the quick")
    page.get_by_role("link", name="Later").first.click()
    expect(log(page)).to_contain_text("00000500 the quick")
    expect(page.get_by_label("Search the output")).to_be_hidden()
    context.close()


def test_secrets_and_the_wave_are_on_the_page(visit: Page, server: ServerProcess, coloured: int) -> None:
    visit.goto(f"/runs/{coloured}")
    expect(visit.get_by_text("The wave")).to_be_visible()
    expect(visit.locator(".wave").get_by_role("link", name=f"load_orders #{coloured}")).to_be_visible()
    visit.get_by_text("Environment of try 2").click()
    expect(visit.get_by_role("row", name="DB_PASSWORD")).to_contain_text("••••••")
    assert "hunter2" not in visit.content()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_it_is_pictured_and_accessible(
    chromium: Browser, server: ServerProcess, coloured: int, large: int, scheme: Any, width: int
) -> None:
    server.define(
        name="hungry",
        command="python3 -c 'import time; x = bytearray(200_000_000); time.sleep(5)'",
        mem=64,
        retries=0,
    )
    hungry = server.run("hungry")
    server.wait_for_end(hungry)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name, path, ready in (
        ("run-log", f"/runs/{coloured}", "row 20"),
        ("run-large", f"/runs/{large}", f"{LINES - 1:08d}"),
        ("run-memory", f"/runs/{hungry}", ""),
        ("run-definition", f"/runs/{coloured}/definition", ""),
        ("runs-filtered", "/runs?state=unsuccessful", ""),
    ):
        page.goto(path)
        if ready:
            expect(log(page)).to_contain_text(ready)
        if name == "run-log":
            page.get_by_label("Search the output").fill("row 2")
            expect(log(page).locator("mark.current")).to_be_visible()
            page.get_by_text("Environment of try 2").click()
            page.evaluate("window.scrollTo(0, 0)")
        if name == "run-memory":
            expect(page.locator(".memory")).to_contain_text(re.compile(r"\d MB of 64 MB"))
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=name != "run-large")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        assert_accessible(page)
    context.close()
