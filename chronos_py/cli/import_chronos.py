"""``chronos import-chronos``"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import click
import requests
from requests.auth import HTTPBasicAuth

from chronos_py.cli.client import Client, ServerError, print_json, with_output, with_server
from chronos_py.cli.tables import moment, print_table
from chronos_py.errors import ChronosError, InvalidDefinition

_PATH = "/api/imports/chronos"
_PATIENCE_SECONDS = 600  # thousands of jobs take a while
# Chronos 3 has its API under the first, Chronos 2 under the second.
_PREFIXES = ("/v1/scheduler", "/scheduler")


@click.command("import-chronos")
@click.argument("source", metavar="URL|FILE")
@click.option("--apply", "is_wanted", is_flag=True, help="Create the jobs; without it nothing is changed.")
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    metavar="PATH",
    help="Where that Chronos has its API.  [default: /v1/scheduler, then /scheduler]",
)
@click.option("--user", default="", metavar="USER:PASSWORD", help="What that Chronos asks for by HTTP Basic.")
@click.option(
    "--timezone", "zone", default="", metavar="ZONE", help="The zone of starts that name none.  [default: UTC]"
)
@click.option(
    "--own-user", is_flag=True, help="Leave runAsUser out: the jobs run as whom this server runs as, or its --user."
)
@with_output
@with_server
def import_chronos(
    client: Client,
    source: str,
    is_wanted: bool,
    prefixes: tuple[str, ...],
    user: str,
    zone: str,
    own_user: bool,
    output: str,
) -> None:
    """Show what jobs a running Chronos would bring, or the saved answer of its GET jobs; create them with --apply.

    Parents, counters and schedules are kept. All of them are created or, if one cannot be, none.
    """
    if source.startswith(("http://", "https://")):
        jobs = _ask(source, prefixes or _PREFIXES, user)
    else:
        jobs = _read(Path(source))
    body: dict[str, Any] = {"jobs": jobs, "ownUser": own_user, **({"timeZone": zone} if zone else {})}
    found = client.ask("POST", _PATH, body={**body, "dryRun": True}, timeout=_PATIENCE_SECONDS)
    if is_wanted and not found["problems"]:
        found = client.ask("POST", _PATH, body=body, timeout=_PATIENCE_SECONDS)
    if output == "json":
        print_json(found)
    else:
        _print(found, is_wanted)
    if found["problems"]:
        raise ChronosError(f"nothing was imported: {_number(len(found['problems']), 'problem')}.")


def _ask(url: str, prefixes: tuple[str, ...], user: str) -> list[Any]:
    """The listing of a Chronos, under the first prefix that has one. Raises ServerError."""
    chronos = Client(url, if_absent="is a Chronos there?")
    auth = None
    if user:
        name, _, password = user.partition(":")
        auth = HTTPBasicAuth(name.encode(), password.encode())
    answers = []
    for prefix in prefixes:
        path = f"/{prefix.strip('/')}/jobs"
        answer = chronos.request("GET", path, auth=auth)
        if answer.status_code == 401:
            raise ServerError(f"{chronos.url} asks for a user and password; give them with --user user:password.")
        jobs = _listing(answer)
        if jobs is not None:
            return jobs
        answers.append(f"{path} answers {answer.status_code} {answer.reason}".strip())
    raise ServerError(
        f"{chronos.url} shows no list of jobs ({', '.join(answers)}); is it a Chronos, and is --prefix right?"
    )


def _listing(answer: requests.Response) -> list[Any] | None:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return None
    return found if answer.ok and isinstance(found, list) else None


def _read(file: Path) -> list[Any]:
    """The listing in a file. Raises InvalidDefinition."""
    try:
        content = json.loads(file.read_bytes(), parse_constant=_refuse_number, parse_float=_finite)
    except OSError as error:
        raise InvalidDefinition(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition(f"{file} is not JSON: {error}.") from error
    if not isinstance(content, list):
        raise InvalidDefinition(f"{file} must hold a list of jobs, as GET /scheduler/jobs of a Chronos answers it.")
    return content


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"it contains {text}, which is no number there")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _print(found: dict[str, Any], is_wanted: bool) -> None:
    rows = (
        (
            job["name"],
            _change(job["change"], is_wanted and not found["problems"]),
            job["kind"],
            job["description"],
            "paused" if job["disabled"] else moment(job["nextRun"]),
            ", ".join(job["parents"]),
        )
        for job in found["jobs"]
    )
    print_table(("JOB", "IMPORT", "KIND", "WHEN", "NEXT RUN", "PARENTS"), rows)
    for job in found["jobs"]:
        for note in job["notes"]:
            click.echo(f"note: {job['name']}: {note}")
    for problem in found["problems"]:
        click.echo(f"problem: {problem['name'] or '(no name)'}: {problem['reason']}", err=True)
    if any(problem["reason"].startswith("runAsUser") for problem in found["problems"]):
        click.echo("hint: with --own-user the jobs run as whom this server runs as, or its --user.", err=True)
    new = sum(job["change"] == "created" for job in found["jobs"])
    same = len(found["jobs"]) - new
    if found["problems"]:
        return
    if is_wanted:
        click.echo(f"{_number(new, 'job')} created, {same} unchanged")
    else:
        click.echo(f"{_number(new, 'job')} would be created, {same} unchanged; say --apply to do it")


def _change(change: str, is_done: bool) -> str:
    return change if is_done or change != "created" else "new"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
