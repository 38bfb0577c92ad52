"""Requests of a page that are held, as on a slow network."""

from __future__ import annotations

from functools import partial

from playwright.sync_api import Page, Route

from tests.cluster.server import wait_for


class HeldRequests:
    """The requests to some address that wait until they are released, from now on."""

    def __init__(self, page: Page, address: str) -> None:
        self.waiting: list[Route] = []
        self._page = page
        self._is_holding = True
        page.route(address, self._arrived)

    def _arrived(self, route: Route) -> None:
        if self._is_holding:
            self.waiting.append(route)
        else:
            route.continue_()

    def wait(self, count: int = 1) -> None:
        """Until so many are held."""
        wait_for(f"{count} requests", partial(self._are_there, count))

    def _are_there(self, count: int) -> bool:
        self._page.wait_for_timeout(20)  # in which requests arrive here
        return len(self.waiting) >= count

    def release(self) -> None:
        """All of them; none is held any more."""
        self._is_holding = False
        for route in self.waiting:
            route.continue_()
