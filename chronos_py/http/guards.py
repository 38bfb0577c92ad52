"""Who may ask, what no request may be, and the headers that every answer carries."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Response, g, request

from chronos_py import compat
from chronos_py.http.addresses import is_loopback
from chronos_py.http.refusals import refuse

BODY_LIMIT = 1 << 20
# The listing of a whole Chronos: some ten thousand jobs.
LARGER_BODIES = {"/api/imports/chronos": 15 << 20}
# The form of a job sends the document that it was shown for, its fields, and the same as JSON, all of it quoted.
_FORMS = re.compile(r"/jobs/(?:new|[^/]+/edit)")
FORM_LIMIT = 12 << 20
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def refuse_strangers(credentials: str | None, realm: str) -> Response | None:
    """HTTP Basic over every path, where credentials are set. Notes who asks."""
    g.person = ""
    if credentials is None:
        return None
    given = _basic_credentials(request.headers.get("Authorization", ""))
    if hmac.compare_digest(given.encode(), credentials.encode()):
        g.person = credentials.partition(":")[0]
        return None
    answer = refuse(401, "Give the user name and password of this server.")
    quoted = realm.replace("\\", r"\\").replace('"', r"\"")
    answer.headers["WWW-Authenticate"] = f'Basic realm="{quoted}"'
    return answer


def _basic_credentials(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):  # not base64, or not UTF-8
        return ""


def refuse_foreign_names(own_names: Collection[str] | None) -> Response | None:
    """An open server on loopback answers to its own names only; None: to any.

    A page of a foreign name that was made to resolve to this machine would pass for one of ours otherwise.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    if own_names is None or host in own_names or is_loopback(host):
        return None
    return refuse(
        421,
        f'This server does not go by the name "{host}"; start it with --advertise {host}:PORT if it should, or with'
        " --http-credentials.",
    )


def refuse_other_sites() -> Response | None:
    """A page of another site must not act in the name of who reads it. Old clients send neither header and pass."""
    if request.method in SAFE_METHODS:
        return None
    origin = request.headers.get("Origin")
    is_foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if origin is not None and origin.partition("://")[2].lower() != request.host.lower():
        is_foreign = True
    if not is_foreign:
        return None
    return refuse(403, f"This request comes from a page of another site ({origin or 'unknown'}) and was refused.")


def refuse_unusable_requests() -> Response | None:
    """What no part of the site can do anything with: a body that is too large, an address with a NUL in it."""
    limit = FORM_LIMIT if _FORMS.fullmatch(request.path) else LARGER_BODIES.get(request.path, BODY_LIMIT)
    if (request.content_length or 0) > limit:
        return refuse(413, f"The request body is larger than {limit} bytes.")
    request.max_content_length = limit
    if "\x00" in request.path or any("\x00" in text for pair in request.args.items(multi=True) for text in pair):
        return refuse(400, "The address contains a NUL character.")
    return None


def add_headers(answer: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "no-cache")
    if compat.serves(request.path):
        answer.headers.setdefault("Access-Control-Allow-Origin", "*")
    return answer
