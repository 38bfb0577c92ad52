"""What the operators of a node ask: how it is set up, how much it logs."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, render_template, request

from chronos_py import __version__
from chronos_py.compat.answers import json_answer
from chronos_py.services import Application
from chronos_py.services.bodies import parse_json_object
from chronos_py.services.cluster import view_cluster
from chronos_py.services.log_levels import LEVELS, log_levels, set_log_level


def add_info_route(routes: Blueprint, app: Application) -> None:
    @routes.get("/info")
    def info() -> Response:
        """The shape of the Yelp fork; the values are those of this node's settings, secrets masked."""
        settings = app.configuration
        return json_answer(
            {
                "version": __version__,
                "leader": view_cluster(app).leadership.address,
                "frameworkId": "",
                "mail_config": _some(settings, "mail_"),
                "zookeeper_config": _some(settings, "zk_"),
                "mesos_config": _some(settings, "mesos_"),
                "chronos_configuration": dict(settings),
            }
        )


def _some(settings: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name.startswith(prefix)}


def add_logging_routes(routes: Blueprint) -> None:
    @routes.get("/logging")
    def show() -> Response:
        return _levels()

    @routes.post("/logging")
    def change() -> Response:
        if request.is_json:
            body = parse_json_object(request.get_data())
            set_log_level(body.get("logger"), body.get("level"))
        else:
            set_log_level(request.form.get("logger"), request.form.get("level"))
        return _levels()


def _levels() -> Response:
    found = log_levels()
    wanted = request.accept_mimetypes.best_match(["text/html", "application/json"])
    if request.is_json or wanted == "application/json":
        return json_answer({"loggers": [{"logger": name, "level": level} for name, level in found.items()]})
    page = render_template("logging.html", loggers=found, levels=LEVELS)
    return Response(page, content_type="text/html; charset=utf-8")
