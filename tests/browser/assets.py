"""What a page loads of ours."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

from chronos_py import web

STATIC = Path(web.__file__).parent / "static"


class Assets:
    """The sheets, modules and pictures that a page has loaded since the last look."""

    def __init__(self, page: Page) -> None:
        self._names: set[str] = set()
        page.on("response", lambda answer: self._note(urlsplit(answer.url).path))

    def _note(self, path: str) -> None:
        if path.startswith("/static/"):
            self._names.add(path.removeprefix("/static/"))

    def size(self) -> int:
        """Their bytes together, those too that the browser had already."""
        names, self._names = self._names, set()
        return sum((STATIC / name).stat().st_size for name in names)
