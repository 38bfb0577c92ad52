"""Drawings of chains in a real browser: zoom, pan, folding, the keyboard, states that come by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import SCREENSHOTS
from tests.cluster.server import ServerProcess, wait_for

LAYERS, WIDE = 10, 50
# Milliseconds that a step of zooming takes.
FASTEST_FRAME = """async () => {
  const view = document.querySelector(".chain-view"), { left, top } = view.getBoundingClientRect();
  const spent = [];
  for (let step = 0; step < 15; step++) {
    const began = performance.now();
    const at = { clientX: left + 400, clientY: top + 200, cancelable: true };
    view.dispatchEvent(new WheelEvent("wheel", { deltaY: -60, ...at }));
    await new Promise(requestAnimationFrame);
    spent.push(performance.now() - began);
  }
  return Math.min(...spent.slice(1));
}"""
SPREAD_FINGERS = """(view) => {
  const { top } = view.getBoundingClientRect();
  const send = (kind, pointerId, clientX) =>
    view.dispatchEvent(new PointerEvent(kind, { pointerId, clientX, clientY: top + 60, bubbles: true }));
  send("pointerdown", 1, 100); send("pointerdown", 2, 200);
  send("pointermove", 2, 300);
  send("pointerup", 1, 100); send("pointerup", 2, 300);
}"""


@pytest.fixture(scope="module")
def chains(server: ServerProcess) -> None:
    """A small chain with a failure in it, one whose job waits for a file, and one of 500 jobs."""
    for name, parents, command in (
        ("extract orders", [], "true"),
        ("extract stock", [], "exit 3"),
        ("load orders", ["extract orders"], "true"),
        ("load stock", ["extract stock"], "true"),
        ("join", ["load orders", "load stock", "extract orders"], "true"),
        ("report", ["join"], "true"),
        ("mail", ["report"], "true"),
    ):
        server.define(name=name, command=command, retries=0, **({"parents": parents} if parents else {}))
    server.define(
        name="alert",
        command="true",
        parents=["extract stock", "load stock"],
        triggerRule="any_failure",
    )
    server.define(name="first", command="while [ ! -e go ]; do sleep 0.05; done")
    server.define(name="second", command="true", parents=["first"])
    runs = [server.run("extract orders"), server.run("extract stock")]
    for run in runs:
        server.wait_for_end(run)
    for layer in range(LAYERS):
        for number in range(WIDE):
            parents = [f"big {layer - 1} {(number * 7 + step) % WIDE:02}" for step in range(1 + number % 2)]
            server.define(name=f"big {layer} {number:02}", command="true", **({"parents": parents} if layer else {}))


@pytest.fixture
def phone(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=server.url, viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True
    )
    page = context.new_page()
    yield page
    context.close()


def view_box(page: Page) -> list[float]:
    """What is seen of the drawing: x, y, width, height."""
    return [float(each) for each in (page.locator(".chain-drawing").get_attribute("viewBox") or "").split()]


def wait_for_view(page: Page, what: str, fits: Callable[[list[float]], bool]) -> None:
    """What a mouse does is seen when the page comes to it."""
    wait_for(what, lambda: fits(view_box(page)))


def open_chain(page: Page, query: str) -> None:
    page.goto(f"/chains?{query}")
    expect(page.locator(".chain-view.moves")).to_be_visible()


def node(page: Page, name: str) -> str:
    return f'.node[data-name="{name}"]'


@pytest.mark.usefixtures("chains")
def test_zoom_and_pan_with_the_mouse_and_the_keyboard(visit: Page) -> None:
    open_chain(visit, "job=join")
    whole = view_box(visit)
    visit.get_by_role("button", name="Zoom in").click()
    closer = view_box(visit)
    assert closer[2] < whole[2]
    view = visit.locator(".chain-view")
    box = view.bounding_box()
    assert box is not None
    visit.mouse.move(box["x"] + 300, box["y"] + box["height"] - 12)
    visit.mouse.wheel(0, -300)
    wait_for_view(visit, "a closer view", lambda seen: seen[2] < closer[2])
    before = view_box(visit)
    visit.mouse.down()
    visit.mouse.move(box["x"] + 200, box["y"] + box["height"] - 12, steps=4)
    visit.mouse.up()
    wait_for_view(visit, "what is further right", lambda seen: seen[0] > before[0])
    assert "/chains" in visit.url  # what was dragged was no click
    view.focus()
    visit.keyboard.press("0")
    assert view_box(visit) == whole
    visit.keyboard.press("+")
    visit.keyboard.press("ArrowRight")
    assert view_box(visit)[2] < whole[2]
    visit.get_by_role("button", name="Fit").click()
    assert view_box(visit) == whole


@pytest.mark.usefixtures("chains")
def test_a_job_lights_up_what_is_before_and_after_it(visit: Page) -> None:
    open_chain(visit, "job=join")
    visit.locator(f"{node(visit, 'load stock')} .box").hover()
    expect(visit.locator(".node.near")).to_have_count(6)
    near = visit.locator(".node.near").evaluate_all("all => all.map((each) => each.dataset.name).sort()")
    assert near == ["alert", "extract stock", "join", "load stock", "mail", "report"]
    visit.screenshot(path=SCREENSHOTS / "chain.png")


@pytest.mark.usefixtures("chains")
def test_the_arrow_keys_lead_from_job_to_job(visit: Page) -> None:
    open_chain(visit, "job=join")
    visit.locator(f"{node(visit, 'extract orders')} > a").first.focus()
    visit.keyboard.press("ArrowRight")
    expect(visit.locator(f"{node(visit, 'load orders')} > a").first).to_be_focused()
    visit.keyboard.press("ArrowLeft")
    expect(visit.locator(f"{node(visit, 'extract orders')} > a").first).to_be_focused()
    visit.keyboard.press("Enter")
    expect(visit).to_have_url(re.compile(r"/jobs/extract(%20|\+)orders$"))


@pytest.mark.usefixtures("chains")
def test_what_runs_after_a_job_is_hidden_and_shown_in_place(visit: Page) -> None:
    open_chain(visit, "job=join")
    visit.evaluate("window.same = true")
    visit.get_by_role("link", name="Hide what runs after report").click()
    expect(visit.locator(node(visit, "mail"))).to_have_count(0)
    expect(visit).to_have_url(re.compile("fold=report"))
    visit.get_by_role("link", name="Show the 1 jobs after report").click()
    expect(visit.locator(node(visit, "mail"))).to_have_count(1)
    visit.go_back()
    expect(visit.locator(node(visit, "mail"))).to_have_count(0)
    assert visit.evaluate("window.same")


@pytest.mark.usefixtures("chains")
def test_the_drawing_is_that_of_the_last_click(visit: Page) -> None:
    held: list[Route] = []
    open_chain(visit, "job=join")
    visit.route("**/chains?*fold=report", lambda route: held.append(route))
    with visit.expect_request("**/chains?*fold=report"):
        visit.get_by_role("link", name="Hide what runs after report").click()
    visit.get_by_role("link", name="Hide what runs after join").click()
    expect(visit.locator(node(visit, "report"))).to_have_count(0)
    held[0].continue_()
    visit.unroute("**/chains?*fold=report")
    with visit.expect_response("**/chains/states?*"):
        pass
    expect(visit.locator(node(visit, "report"))).to_have_count(0)
    expect(visit).to_have_url(re.compile("fold=join"))


@pytest.mark.usefixtures("chains")
def test_a_part_is_hidden_once_the_server_is_back(visit: Page) -> None:
    open_chain(visit, "job=join")
    visit.route("**/chains?*", lambda route: route.abort())
    visit.get_by_role("link", name="Hide what runs after report").click()
    expect(visit.get_by_text("The server does not answer")).to_be_attached()
    expect(visit.locator(node(visit, "mail"))).to_have_count(1)
    visit.unroute("**/chains?*")
    expect(visit.locator(node(visit, "mail"))).to_have_count(0)
    expect(visit.get_by_text("The server does not answer")).to_have_count(0)


@pytest.mark.usefixtures("chains")
def test_states_come_without_a_new_drawing(visit: Page, server: ServerProcess) -> None:
    open_chain(visit, "job=first")
    visit.get_by_role("button", name="Zoom in").click()
    before = view_box(visit)
    run = server.run("first")
    expect(visit.locator(node(visit, "first"))).to_have_class(re.compile("state-(running|starting)"))
    server.kill_run(run)
    expect(visit.locator(node(visit, "first"))).to_have_class(re.compile("state-killed"))
    expect(visit.locator('[data-row="first"] .badge')).to_have_text("■ killed")
    assert view_box(visit) == before


@pytest.mark.usefixtures("chains")
def test_a_wave_leads_to_its_runs(visit: Page, server: ServerProcess) -> None:
    run = server.run("extract orders")
    server.wait_for_end(run)
    # The run after it makes a new drawing, which a click must not come in between.
    wave = {"rootRun": run, "state": "succeeded"}
    wait_for("the run after it", lambda: any(wave.items() <= each.items() for each in server.runs("load orders")))
    open_chain(visit, f"run={run}")
    expect(visit.locator(node(visit, "extract orders"))).to_have_class(re.compile("state-succeeded"))
    visit.locator(f"{node(visit, 'extract orders')} .box").click()
    expect(visit).to_have_url(re.compile(f"/runs/{run}$"))


@pytest.mark.usefixtures("chains")
def test_five_hundred_jobs_stay_readable(visit: Page) -> None:
    open_chain(visit, "job=big 0 00")
    expect(visit.locator(".node")).to_have_count(LAYERS * WIDE)
    size = visit.locator(".node.here .name").evaluate("each => each.getBoundingClientRect().height")
    assert size > 9  # pixels: names can be read where the page begins
    expect(visit.locator(".chain-map")).to_be_visible()
    visit.screenshot(path=SCREENSHOTS / "chain-500.png")
    visit.get_by_role("button", name="Fit").click()
    # The fastest of some frames: the machine may have more to do than this.
    assert visit.evaluate(FASTEST_FRAME) < 250
    visit.get_by_role("button", name="Fit").click()
    visit.screenshot(path=SCREENSHOTS / "chain-500-far.png")


@pytest.mark.usefixtures("chains")
def test_the_pages_can_be_used_by_all(visit: Page) -> None:
    open_chain(visit, "job=join")
    visit.get_by_text("The same as a table").click()
    expect(visit.get_by_role("row", name=re.compile("alert.*once one parent has failed"))).to_be_visible()
    assert_accessible(visit)
    visit.emulate_media(color_scheme="dark")
    assert_accessible(visit)
    visit.screenshot(path=SCREENSHOTS / "chain-dark.png")


@pytest.mark.usefixtures("chains")
def test_on_a_phone(phone: Page) -> None:
    open_chain(phone, "job=join")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.screenshot(path=SCREENSHOTS / "chain-phone.png")
    phone.get_by_role("button", name="Fit").tap()
    whole = view_box(phone)
    phone.locator(".chain-view").evaluate(SPREAD_FINGERS)
    assert view_box(phone)[2] < whole[2]  # two fingers that part


@pytest.mark.usefixtures("chains")
def test_without_javascript(chromium: Browser, server: ServerProcess) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/chains?job=join")
    expect(page.locator(".node")).to_have_count(8)
    page.locator(f"{node(page, 'report')} .fold").click()
    expect(page.locator(node(page, "mail"))).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(node(page, "mail"))).to_have_count(1)
    page.locator(f"{node(page, 'mail')} .box").click()
    expect(page).to_have_url(f"{server.url}/jobs/mail")
    context.close()
