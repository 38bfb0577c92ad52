"""What the command line makes of URLs, names and tables before any server is asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chronos_py.cli import chronos
from chronos_py.cli.client import Client, ServerError, job_path
from chronos_py.cli.tables import print_fields, print_table


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4400/", "http://127.0.0.1:4400"),
        ("https://ann:s%C3%A9cret@[::1]:4400/chronos/", "https://[::1]:4400/chronos"),
    ],
)
def test_credentials_are_taken_out_of_the_url(url: str, shown: str) -> None:
    assert Client(url).url == shown


@pytest.mark.parametrize(
    "url",
    ["", "4400", "nonsense", "ftp://host", "http://", "http://[::1", "http://host:x", "http://ann:secret@host:99999"],
)
def test_what_is_no_url_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ServerError, match="must be a URL such as") as refusal:
        Client(url)
    assert "secret" not in str(refusal.value)


def test_a_password_is_not_repeated_when_nobody_answers() -> None:
    with pytest.raises(ServerError, match=r"no server answers at http://127\.0\.0\.1:1;"):
        Client("http://ann:secret@127.0.0.1:1").get("/api/jobs")


@pytest.mark.parametrize(("name", "path"), [("a b#1", "/api/jobs/a%20b%231"), ("x/../y", "/api/jobs/x%2F..%2Fy")])
def test_a_name_stays_one_part_of_the_address(name: str, path: str) -> None:
    assert job_path(name) == path


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_leads_elsewhere_is_not_found(name: str) -> None:
    with pytest.raises(ServerError, match="not found"):
        job_path(name)


def test_cells_are_text_and_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("JOB", "WHY"), [("etl", "exit [red]1[/red] :100: [unclosed"), (7, None)])
    print_fields([("Command", "echo [bold]\necho 2"), ("Image", None), ("Owner", ""), ("Failed", 0)])
    printed = capsys.readouterr().out
    assert "exit [red]1[/red] :100: [unclosed" in printed
    assert "Command  echo [bold]\n         echo 2" in "\n".join(line.rstrip() for line in printed.splitlines())
    assert "Failed   0" in printed
    assert "Image" not in printed
    assert "Owner" not in printed


def every_command(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    children = getattr(command, "commands", {})
    return [path, *(found for name, child in children.items() for found in every_command(child, (*path, name)))]


def test_pages_name_commands_that_there_are() -> None:
    named = {
        tuple(re.match(r"[a-z -]*", words)[0].split())  # type: ignore[index]
        for page in (Path(__file__).parents[2] / "templates").glob("*.html")
        for words in re.findall("<code>chronos ([^<]*)</code>", page.read_text())
    }
    known = set(every_command(chronos))
    assert named
    assert all(any(words[:length] in known for length in range(1, len(words) + 1)) for words in named), named


@pytest.mark.parametrize("path", every_command(chronos), ids=" ".join)
def test_every_command_tells_how_it_is_used(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(chronos, [*path, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output
