"""The Flask application: every area of the site under its address, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from chronos_py import api, compat, web
from chronos_py.compat import importing
from chronos_py.http import guards
from chronos_py.http.base_path import serve_below
from chronos_py.http.compression import compress
from chronos_py.http.refusals import explain
from chronos_py.services import Application


class _Json(DefaultJSONProvider):
    """UTF-8 on one line, keys in the order in which they are given."""

    ensure_ascii = False
    sort_keys = False
    compact = True


def create_wsgi_app(
    app: Application,
    credentials: str | None = None,
    own_names: Collection[str] | None = None,
    *,
    realm: str = "chronos",
    compression: bool = True,
    base_path: str = "",
) -> Flask:
    """Everything a node serves. ``credentials`` is ``user:password``, asked of everyone by HTTP Basic.

    ``own_names`` are the host names that it answers to beside the loopback ones, None: any. ``base_path`` is a path
    before all addresses, see :mod:`chronos_py.http.base_path`. Raises ConfigurationError.
    """
    # The templates and the static files lie in the package, wherever it is installed.
    flask = Flask("chronos_py", static_folder="web/static", template_folder="templates")
    flask.config["MAX_CONTENT_LENGTH"] = guards.BODY_LIMIT
    flask.json = _Json(flask)
    flask.url_map.strict_slashes = False
    flask.register_blueprint(api.blueprint(app), url_prefix="/api")
    flask.register_blueprint(api.health_blueprint(app))
    for blueprint, prefix in compat.blueprints(app):
        flask.register_blueprint(blueprint, url_prefix=prefix)
    flask.register_blueprint(importing.blueprint(app), url_prefix="/api")
    flask.register_blueprint(web.blueprint(app))
    flask.before_request(lambda: guards.refuse_strangers(credentials, realm))
    flask.before_request(lambda: guards.refuse_foreign_names(own_names))
    flask.before_request(guards.refuse_other_sites)
    flask.before_request(guards.refuse_unusable_requests)
    if compression:
        flask.after_request(compress)  # the first to be registered is the last to be called
    flask.after_request(guards.add_headers)
    flask.register_error_handler(Exception, explain)
    if base_path:
        serve_below(flask, base_path)
    return flask
