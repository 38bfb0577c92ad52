"""Whatever is stored, the form loses nothing: opened and saved, or shown as JSON and back, it is the same."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chronos_py.errors import InvalidDefinition
from chronos_py.services import Application, jobs, limits
from chronos_py.web.form.drafts import form_values, read_form
from chronos_py.web.form.groups import FIELDS
from tests.server.client import Client
from tests.server.html_form import read_form as read_page

LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ODD = st.sampled_from(
    ["", " ", "a\nb", "a\r\nb", "\na", "a\n", '"a"', '"a\\nb"', "a, b", "a=b", "#", "{", "<b>&amp;", "ü"]
)
TEXTS = LINES | ODD
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted(
    {field.name for field in FIELDS} | {field.older for field in FIELDS if field.older} | {"rack", "schema.x"}
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("name", "value", "key", "uri", "external", "hostPath", "extra"), JSON)
    )
    | st.lists(TEXTS, min_size=3, max_size=3),
    max_size=3,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any JSON at all, under the names that the form knows and others."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=9)):
        value = draw(JSON | ROWS)
        outer, _, inner = name.partition(".")
        if inner and isinstance(found.setdefault(outer, {}), dict):
            found[outer][inner] = value
        else:
            found[outer] = value
    return found


def as_a_browser_sends(values: dict[str, str]) -> dict[str, str]:
    """Lines end as in forms; a field of one line has none."""
    lined = {field.name for field in FIELDS if field.is_multiline}
    sent = {}
    for name, text in values.items():
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        is_lined = name in lined or name == "document" or name.endswith(".value")
        sent[name] = text.replace("\n", "\r\n") if is_lined else text.replace("\n", "")
    return sent


@settings(max_examples=150, deadline=None)
@given(documents())
def test_an_untouched_form_leaves_any_document_as_it_is(document: dict[str, Any]) -> None:
    before = deepcopy(document)
    form = as_a_browser_sends(form_values(document))
    assert json.loads(form["document"]) == document
    reading = read_form(form, document)
    assert json.dumps(reading.document) == json.dumps(before)
    assert document == before


@settings(max_examples=80, deadline=None)
@given(documents(), st.sampled_from(["description", "container.image", "retries", "owner"]))
def test_one_changed_field_changes_nothing_else(document: dict[str, Any], name: str) -> None:
    form = as_a_browser_sends(form_values(document))
    changed = read_form({**form, name: "changed 7"}, document).document
    outer, _, inner = name.partition(".")
    if inner and isinstance(document.get(outer), dict):
        changed, document = changed[outer], {**document[outer]}
        outer = inner
    rest = {key: value for key, value in changed.items() if key != outer}
    assert rest == {key: value for key, value in document.items() if key != outer}


VALID: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXTS,
    "command": st.sampled_from(["true", "echo a\necho b", " padded ", "a\r\nb"]),
    "shell": st.booleans(),
    "arguments": st.lists(TEXTS, max_size=3),
    "environmentVariables": st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["A", "B_1", "API_TOKEN", "DB_PASSWORD"]), "value": TEXTS},
            optional={"theirs": JSON},
        ),
        max_size=3,
    ),
    "labels": st.dictionaries(st.sampled_from(["team", "a.b/c"]), st.sampled_from(["", "x", "a=b"]), max_size=2),
    "retries": st.sampled_from([0, 2, 7]),
    "retryDelay": st.sampled_from([0, 1.5, 60.0, "PT5M"]),
    "retryBackoff": st.sampled_from([2, 1.5, {"factor": 3}, {"jitter": 0}, {"factor": 2, "maximum": "PT1H"}, {}]),
    "retryOn": st.lists(st.sampled_from([1, 75, "lost", "timeout"]), max_size=3),
    "maxCompletionTime": st.sampled_from([0, 60]),
    "timeout": st.sampled_from([0, 60, "PT1H", None]),
    "concurrent": st.booleans(),
    "overlap": st.sampled_from(["allow", "replace", None]),
    "concurrencyLimits": st.lists(
        st.sampled_from(["slots", {"name": "slots"}, {"name": "slots", "units": 2, "why": 1}]), max_size=2
    ),
    "scheduleTimeZone": st.sampled_from(["", "Europe/Berlin"]),
    "excludeCalendars": st.sampled_from([[], ["weekends"]]),
    "parents": st.sampled_from([[], ["root"], ["root", "root"]]),
    "schedule": st.sampled_from(["", "0 3 * * *", " 0 3 * * * ", "R/2026-01-01T00:00:00Z/P1D"]),
    "constraints": st.lists(st.sampled_from([["rack", "EQUALS", ""], ["host", "LIKE", "a, b"]]), max_size=2),
    "fetch": st.lists(
        st.fixed_dictionaries(
            {"uri": st.just("http://127.0.0.1/a.tgz")},
            optional=dict.fromkeys(("extract", "cache", "executable"), st.booleans() | st.none()),
        ),
        max_size=2,
    ),
    "uris": st.lists(st.just("http://127.0.0.1/b.tgz"), max_size=1),
    "container": st.none()
    | st.fixed_dictionaries(
        {"image": st.sampled_from(["a:1", ""])},
        optional={
            "type": st.sampled_from(["docker", "MESOS"]),
            "network": st.sampled_from(["HOST", "BRIDGE"]),
            "forcePullImage": st.booleans(),
            "volumes": st.lists(
                st.sampled_from(
                    [
                        {"containerPath": "/a", "mode": "ro"},
                        {"containerPath": "/b", "hostPath": "/h", "theirs": 1},
                        {
                            "containerPath": "/c",
                            "external": {"name": "v", "options": [{"key": "a", "value": "b, c"}]},
                        },
                    ]
                ),
                max_size=2,
            ),
            "parameters": st.lists(st.fixed_dictionaries({"key": st.just("env"), "value": TEXTS}), max_size=2),
            "networkInfos": st.lists(
                st.sampled_from([{"name": "n", "portMappings": [{"containerPort": "80", "hostPort": 0}]}, {}]),
                max_size=2,
            ),
            "theirs": JSON,
        },
    ),
    "rack": JSON,
}


OPTIONAL = {name: values for name, values in VALID.items() if name != "command"}


@pytest.fixture
def prepared(application: Application) -> Application:
    jobs.save_job(application, {"name": "root", "command": "true"})
    limits.set_limit(application, "slots", 3)
    return application


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(document=st.fixed_dictionaries({"command": VALID["command"]}, optional=OPTIONAL))
def test_any_stored_document_survives_its_pages(
    client: Client, prepared: Application, document: dict[str, Any]
) -> None:
    document = {"name": "any", **document}
    if document.get("schedule"):
        document.pop("parents", None)
    try:
        job, _ = jobs.save_job(prepared, document)
    except InvalidDefinition:
        return  # nobody stored it
    stored = dict(jobs.get_job(prepared, "any").job.document)
    page = client.get("/jobs/any/edit")
    assert page.status_code == 200
    form = read_page(page.text)
    answer = client.post("/jobs/any/edit", data=form)
    assert answer.status_code == 303, answer.text
    after = jobs.get_job(prepared, "any").job
    assert json.dumps(after.document) == json.dumps(stored)
    assert after.revision == job.revision

    as_json = client.post("/jobs/any/edit", data={**form, "show": "json"})
    assert client.post("/jobs/any/edit", data=read_page(as_json.text)).status_code == 303
    assert json.dumps(jobs.get_job(prepared, "any").job.document) == json.dumps(stored)

    assert client.post("/jobs/any/edit", data={**form, "ownerName": "someone"}).status_code == 303
    changed = dict(jobs.get_job(prepared, "any").job.document)
    assert changed.pop("ownerName") == "someone"
    assert json.dumps(changed) == json.dumps(stored)


@pytest.mark.parametrize("networks", [[{}], [{"name": "n", "portMappings": [{"containerPort": 80}]}, {}], [{}, {}]])
def test_items_that_say_nothing_survive(
    client: Client, prepared: Application, networks: list[dict[str, Any]]
) -> None:
    container = {"image": "a:1", "networkInfos": networks, "volumes": [{"containerPath": "/a"}]}
    stored = {"name": "any", "command": "true", "container": container, "fetch": []}
    jobs.save_job(prepared, stored)
    form = read_page(client.get("/jobs/any/edit").text)
    assert client.post("/jobs/any/edit", data=form).status_code == 303
    assert jobs.get_job(prepared, "any").job.document == stored
