"""Light or dark: what the browser's cookie says; without one the page follows the system."""

from __future__ import annotations

from flask import Blueprint, request

COOKIE = "chronos-theme"
THEMES = frozenset({"light", "dark"})


def attach(routes: Blueprint) -> None:
    routes.app_context_processor(lambda: {"theme": chosen()})


def chosen() -> str:
    """The theme of this browser, "" for the system's."""
    theme: str = request.cookies.get(COOKIE, "")
    return theme if theme in THEMES else ""
