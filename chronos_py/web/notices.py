"""What was just done, told once on the next page, with a button that takes it back where that is possible."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as Redirect

COOKIE = "chronos-notice"
# A part of a page that asks for itself again is not who the notice is for.
LIVE_HEADER = "X-Live"
SECONDS = 60
_LARGEST = 3000
# What can be taken back: the verb of the button's address, and where that is.
UNDO: Mapping[str, str] = {
    "resume": "/undo/resume",
    "pause": "/undo/pause",
    "restore": "/undo/restore",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence; ``undo`` is one of UNDO, done to the jobs ``names``, or ""."""

    words: str
    undo: str = ""
    names: Sequence[str] = ()

    @property
    def address(self) -> str:
        """Where the button that takes it back posts to, "" for none."""
        return UNDO.get(self.undo, "") if self.names else ""


def attach(routes: Blueprint) -> None:
    """Tell a notice on the next page."""
    routes.app_context_processor(lambda: {"notice": take()})
    routes.after_app_request(_forget)


def tell(path: str, notice: Notice) -> Redirect:
    """To a page that tells what was done."""
    answer = redirect(path, 303)
    text = _write(notice)
    if len(text) > _LARGEST:  # too many names for a cookie: they cannot be taken back by one button
        text = _write(Notice(notice.words))
    answer.set_cookie(COOKIE, text, max_age=SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


def take() -> Notice | None:
    """The notice for this page, which is told once; None where there is none."""
    text = request.cookies.get(COOKIE)
    if text is None or LIVE_HEADER in request.headers:
        return None
    g.notice_is_told = True
    return _read(text)


def _forget(answer: Response) -> Response:
    if g.get("notice_is_told"):
        answer.delete_cookie(COOKIE)
    return answer


def _write(notice: Notice) -> str:
    text = json.dumps([notice.words, notice.undo, list(notice.names)], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read(text: str) -> Notice | None:
    """What :func:`_write` wrote; None for anything else that a browser may send."""
    try:
        words, undo, names = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (binascii.Error, ValueError, TypeError):
        return None
    if not (isinstance(words, str) and undo in ("", *UNDO) and isinstance(names, list)):
        return None
    return Notice(words, undo, [name for name in names if isinstance(name, str)])


def job_address(name: str) -> str:
    """The page of a job."""
    return f"/jobs/{quote(name, safe='')}"
