"""A form of a page as a browser without JavaScript fills and sends it."""

from __future__ import annotations

from html.parser import HTMLParser

from chronos_py.web import csrf

Fields = dict[str, str | list[str]]


class _Form(HTMLParser):
    """Collects the fields of the first form that posts, with what a browser would send for each."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: Fields = {}
        self._inside = self._done = False
        self._textarea = self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form" and given.get("method") == "post" and not self._done:
            self._inside = True
        if not self._inside:
            return
        name = given.get("name", "")
        if tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")
        elif tag == "input":
            self._take(name, given)

    def _take(self, name: str, given: dict[str, str]) -> None:
        value = given.get("value", "")
        if given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                present = self.fields.get(name)
                self.fields[name] = [*present, value] if isinstance(present, list) else [value]
        elif given.get("type") != "submit":
            self.fields[name] = value

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] = f"{self.fields[self._textarea]}{data}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._inside:
            self._inside, self._done = False, True
        if tag == "textarea":
            text = str(self.fields[self._textarea]).replace("\r\n", "\n")
            # A browser drops the first end of a line, and sends the others so.
            self.fields[self._textarea] = text.removeprefix("\n").replace("\n", "\r\n")
            self._textarea = ""
        if tag == "select":
            self._select = ""


def read_form(page: str) -> Fields:
    """What the first form of a page sends when nothing is changed in it, but for the token, which the client adds."""
    form = _Form()
    form.feed(page)
    form.fields.pop(csrf.FIELD, None)
    return form.fields
