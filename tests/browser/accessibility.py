"""What a page must not do to people who cannot see it as others do, by axe-core (from the package, no network)."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
SEVERE = frozenset({"serious", "critical"})


def assert_accessible(page: Page) -> None:
    """No serious or critical violation of WCAG A and AA, and no other one of A and AA either."""
    page.wait_for_load_state()  # a page without its sheets looks different
    found = Axe().run(page, options={"runOnly": list(TAGS), "resultTypes": ["violations"]}).response["violations"]
    wrong = [each for each in found if each["impact"] in SEVERE or "best-practice" not in each["tags"]]
    assert wrong == [], "\n".join(map(_words, wrong))


def _words(violation: dict[str, object]) -> str:
    nodes = violation["nodes"]
    assert isinstance(nodes, list)
    places = "; ".join(f"{node['html'][:160]} ({node['failureSummary'][:200]})" for node in nodes[:5])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {places}"
