"""People act on a page that is there; Playwright acts as soon as its address has changed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

LONGEST = 60_000  # milliseconds; a deadline, not a wait: the machine may stand still for a while
ACTIONS = (
    *("all", "all_inner_texts", "all_text_contents", "bounding_box", "check", "click", "count", "dblclick"),
    *("evaluate", "evaluate_all", "fill", "focus", "get_attribute", "hover", "inner_text", "input_value", "press"),
    *("press_sequentially", "select_option", "tap", "text_content", "uncheck"),
)
expect.set_options(timeout=LONGEST)


def wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is waited for as long as that."""
    open_context = Browser.new_context

    @functools.wraps(open_context)
    def patient_context(browser: Browser, **options: Any) -> BrowserContext:
        context = open_context(browser, **options)
        context.set_default_timeout(LONGEST)
        return context

    monkeypatch.setattr(Browser, "new_context", patient_context)


def wait_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done to a page, nor read from it at once, before the page is read and its scripts have run."""
    for name in ACTIONS:
        monkeypatch.setattr(Locator, name, _patient(getattr(Locator, name)))


def _patient(act: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(act)
    def when_it_is_there(locator: Locator, *arguments: Any, **options: Any) -> Any:
        locator.page.wait_for_load_state("domcontentloaded")
        return act(locator, *arguments, **options)

    return when_it_is_there
