"""Whose clock a page tells the time by: the zone that a module keeps in a cookie; UTC until it has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, g, has_request_context, request

from chronos_py.errors import InvalidDefinition
from chronos_py.model.schedule.zone import parse_zone
from chronos_py.services import Application

COOKIE = "zone"


@dataclass(frozen=True, slots=True)
class Viewer:
    """``zone`` is None while nobody knows it. ``now`` is when the page was asked for (aware)."""

    zone: ZoneInfo | None
    now: datetime

    @property
    def zone_name(self) -> str:
        return self.zone.key if self.zone else "UTC"

    def clock(self, value: datetime) -> str:
        """A time on the viewer's clock, as the module writes it too; in UTC, and saying so, while nobody knows it."""
        try:
            local = value.astimezone(self.zone or UTC)
        except OverflowError:
            local = value
        if self.zone is None:
            return f"{local:%Y-%m-%d %H:%M:%S} UTC"
        year = "" if local.year == self.now.astimezone(self.zone).year else f", {local.year}"
        return f"{local:%b} {local.day}{year}, {local:%H:%M:%S}"


_NOBODY = Viewer(None, datetime(1970, 1, 1, tzinfo=UTC))


def attach(routes: Blueprint, app: Application) -> None:
    @routes.before_app_request
    def look() -> None:
        g.viewer = Viewer(_zone(request.cookies.get(COOKIE, "")), app.clock.now())

    routes.app_context_processor(lambda: {"viewer": viewer()})


def viewer() -> Viewer:
    """Who asked for the page that is being made."""
    found: Viewer = g.get("viewer", _NOBODY) if has_request_context() else _NOBODY
    return found


def _zone(name: str) -> ZoneInfo | None:
    try:
        return parse_zone(name) if name else None
    except InvalidDefinition:
        return None
