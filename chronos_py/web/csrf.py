"""No form is taken that did not come from one of our pages: each carries a token, and a cookie has the same one.

The cookie goes along when somebody follows a link from elsewhere (SameSite=Lax), so that a link in a mail does not
make the forms of the other open pages worthless; it never goes along with a form of another site.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, g, render_template, request
from markupsafe import Markup

from chronos_py.web.answers import html

View = TypeVar("View", bound=Callable[..., Any])

COOKIE = "chronos-form"
FIELD = "csrf"
HEADER = "X-CSRF-Token"
_BYTES = 24
_LONGEST = 100
_SHOWN_AGAIN: set[Callable[..., Any]] = set()
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def protect(routes: Blueprint) -> None:
    """Check the token of everything that changes something; give a new browser one."""
    routes.before_request(_refuse)
    routes.after_app_request(_hand_out)
    routes.app_context_processor(lambda: {"csrf": field})


def shows_again(view: View) -> View:
    """Mark a view that shows its form again, with what was typed, when the token is wrong; see is_outdated."""
    _SHOWN_AGAIN.add(view)
    return view


def is_outdated() -> bool:
    """Whether the form of this request has not the token of this browser: nothing may be changed by it."""
    return bool(g.get("form_is_outdated"))


def field() -> Markup:
    """The hidden field that every form which posts has inside."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, _token())


def _token() -> str:
    """The token of this browser; a new one where it has none."""
    known: str = request.cookies.get(COOKIE, "")
    if known and len(known) <= _LONGEST:
        return known
    if "new_token" not in g:
        g.new_token = secrets.token_urlsafe(_BYTES)
    token: str = g.new_token
    return token


def _refuse() -> Response | None:
    if request.method in _SAFE_METHODS:
        return None
    known = request.cookies.get(COOKIE, "")
    given = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if known and len(known) <= _LONGEST and hmac.compare_digest(known.encode(), given.encode()):
        return None
    if current_app.view_functions.get(request.endpoint or "") in _SHOWN_AGAIN:
        g.form_is_outdated = True
        return None
    typed = [(name, value) for name, value in request.form.items(multi=True) if name != FIELD and value]
    return html(render_template("outdated_form.html", typed=typed, back=_back()), 403)


def _back() -> str:
    """The page that the form was on, as a path of ours; the list of jobs where that is not known."""
    page = request.headers.get("Referer", "")
    return "/" + page.removeprefix(request.host_url).lstrip("/") if page.startswith(request.host_url) else "/"


def _hand_out(answer: Response) -> Response:
    if "new_token" in g:
        answer.set_cookie(COOKIE, g.new_token, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer
