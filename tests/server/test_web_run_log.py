"""The log on the page of a run: without JavaScript, as a file, and searched."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chronos_py.services import Application
from chronos_py.services import runs as runs_service
from chronos_py.web.runs.logs import PIECE, plain
from tests.cluster.server import FINAL, wait_for
from tests.server.client import Client
from tests.server.web import define, text_of


def run_to_its_end(client: Client, command: str, **fields: Any) -> int:
    document = {"command": command, "retries": 0, "retryDelay": 0, **fields}
    assert client.put("/api/jobs/job", json=document).status_code in (200, 201)
    run_id: int = client.post("/api/jobs/job/runs").json["id"]

    def has_ended() -> bool:
        answer = client.get(f"/api/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        return answer.json["state"] in FINAL

    wait_for("the end", has_ended)
    return run_id


def log_of(page: str, stream: str = "stdout") -> str:
    found = re.search(rf'<pre [^>]*aria-label="{stream}"[^>]*>([^<]*)</pre>', page)
    assert found is not None
    return found[1]


def test_the_end_of_a_long_log_and_the_way_back(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(client, "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done")
    page = client.get(f"/runs/{run_id}").text
    assert log_of(page).endswith("line 8999\n")
    assert len(log_of(page)) == PIECE
    earlier = re.search(r'href="([^"]*)">Earlier<', page)
    assert earlier is not None
    before = client.get(earlier[1].replace("&amp;", "&")).text
    assert log_of(before) + log_of(page) == "".join(f"line {i}\n" for i in range(9000))[-2 * PIECE :]
    beginning = client.get(f"/runs/{run_id}?at=0").text
    assert log_of(beginning).startswith("line 0\n")
    assert "Earlier" not in beginning
    assert ">Later<" in beginning


def test_output_is_text_without_what_terminals_understand(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(
        client, r"printf '\033[31m<script>alert(1)</script>\033[0m 10%%\r20%%\n'; echo bad >&2; exit 2"
    )
    page = client.get(f"/runs/{run_id}").text
    assert "<script>alert" not in page
    assert log_of(page) == "20%\n"
    assert log_of(page, "stderr") == "bad\n"
    assert 'data-view="both"' in page  # it failed, and both streams say something
    assert 'data-view="stdout"' in client.get(f"/runs/{run_id}?view=stdout").text


def test_what_only_looks_again_gets_no_output(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(client, "echo much")
    assert "much\n" in client.get(f"/runs/{run_id}").text
    assert "much\n" not in client.get(f"/runs/{run_id}", headers={"X-Live": "1"}).text


def test_the_whole_log_as_a_file(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(client, r"printf '\033[31mred\033[0m\377'; head -c 3000000 /dev/zero", retries=0)
    answer = client.get(f"/runs/{run_id}/log/stdout.txt?attempt=1")
    assert answer.data == b"\x1b[31mred\x1b[0m\xff" + bytes(3_000_000)
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="run-{run_id}-try-1-stdout.txt"'
    assert client.get(f"/runs/{run_id}/log/stderr.txt").data == b""
    for address in (
        f"/runs/{run_id}/log/other.txt",
        f"/runs/{run_id}/log/stdout.txt?attempt=9",
        "/runs/999/log/stdout.txt",
    ):
        assert client.get(address).status_code == 404


def test_search_finds_places_in_any_case_and_across_pieces(leading_client: Client) -> None:
    client = leading_client
    command = r"head -c 1048572 /dev/zero | tr '\0' x; printf 'NEEdle, needleneedle \303\204rger aaaa'"
    run_id = run_to_its_end(client, command)

    def find(text: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/runs/{run_id}/log/stdout/find", query_string={"q": text, **query}).json
        return found

    start = 1048572
    assert find("needle")["offsets"] == [start, start + 8, start + 14]
    assert find("needle")["complete"]
    assert find("needle", offset=start + 1)["offsets"] == [start + 8, start + 14]
    assert find("Ärger")["offsets"] == [start + 21]
    assert find("aa")["offsets"] == [start + 28, start + 30]
    assert find("")["offsets"] == find("not there")["offsets"] == []
    common = find("x")
    assert (len(common["offsets"]), common["complete"], common["most"]) == (10_000, False, 10_000)
    assert client.get("/runs/999/log/stdout/find?q=x").status_code == 404


def test_search_finds_words_with_colours_inside(leading_client: Client) -> None:
    client = leading_client
    text = r"\033[31mNEE\033[1;32m\033[0mdle\033[0m needle n\033[7mothing"
    command = rf"head -c 1048560 /dev/zero | tr '\0' x; printf '{text}'"
    run_id = run_to_its_end(client, command)

    def find(text: str) -> list[int]:
        found: list[int] = client.get(f"/runs/{run_id}/log/stdout/find", query_string={"q": text}).json["offsets"]
        return found

    assert find("needle") == [1048565, 1048587]
    assert find("le needle noth") == [1048580]
    assert find("31m") == [1048562]  # what a terminal does not show is found where it stands alone
    assert find("needles") == []


def test_a_search_goes_on_where_it_stopped(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(client, "head -c 40000000 /dev/zero; printf needle", mem=256)
    places: list[int] = []
    offset, calls, complete = 0, 0, False
    while not complete:
        found = client.get(f"/runs/{run_id}/log/stdout/find?q=needle&offset={offset}").json
        places += found["offsets"]
        offset, complete, calls = found["next"], found["complete"], calls + 1
    assert (places, calls) == ([40_000_000], 2)


def test_each_try_has_its_log(leading_client: Client) -> None:
    client = leading_client
    run_id = run_to_its_end(client, "echo try $CHRONOS_ATTEMPT; exit 127", retries=1)
    assert log_of(client.get(f"/runs/{run_id}").text) == "try 2\n"
    page = client.get(f"/runs/{run_id}?attempt=1").text
    assert log_of(page) == "try 1\n"
    assert 'data-attempt="1"' in page
    assert "exited with code 127: the shell did not find the command" in text_of(page)


def test_a_run_without_a_try_has_no_log(client: Client, application: Application) -> None:
    define(application, "job")
    run = runs_service.run_now(application, "job")
    page = client.get(f"/runs/{run.id}").text
    assert log_of(page) == ""
    assert "nothing yet" in page
    assert client.get(f"/runs/{run.id}/log/stdout.txt").data == b""
    runs_service.kill_run(application, run.id)
    assert "nothing was written" in client.get(f"/runs/{run.id}").text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\x1b[1;31mb\x1b[0m\n", "ab\n"),
        ("10%\r20%\rdone\nx\r\n", "done\nx\n"),
        ("\x1b]8;;https://x\x07link\x1b]8;;\x07", "link"),
        ("cut \x1b", "cut "),
    ],
)
def test_plain_text(written: str, shown: str) -> None:
    assert plain(written) == shown
