"""From a task to the orders of its supervisor, or to the sentence that says why not."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from chronos_py.model.task import Container, Task
from chronos_py.pools import LaunchRefused
from chronos_py.pools.process.documents import Account, Orders

SHELL = "/bin/sh"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_FOLDER_NAME = 200  # bytes, of the 255 that file systems take


def folder_name(task_name: str) -> str:
    """A task's name as a file name: readable, reversible, never a path, never hidden."""
    quoted = quote(task_name, safe=":", errors="surrogatepass")
    if quoted.startswith("."):
        return "%2E" + quoted[1:]
    return quoted or "%"


def task_name(folder: str) -> str:
    return unquote(folder, errors="surrogatepass")


def refuse_unusable_name(name: str) -> None:
    """Raises :class:`LaunchRefused` for a name that cannot be that of a folder."""
    if not name or len(folder_name(name)) > LONGEST_FOLDER_NAME:
        raise LaunchRefused(f"name: {name!r} must have 1 to {LONGEST_FOLDER_NAME} bytes for this pool.")


def orders_for(task: Task, work_dir: Path, output_file: Path, shared_dir: Path, host: str) -> Orders:
    """What a supervisor needs to run ``task`` in ``work_dir``. Raises :class:`LaunchRefused`."""
    _refuse_unwritable_text(task)
    _refuse_container(task.container)
    account = _account(task.user)
    environment = {
        **_usual_environment(account, work_dir),
        **task.environment,
        "HOST": host,
        "CHRONOS_SHARED_DIR": str(shared_dir),
        "CHRONOS_OUTPUT_FILE": str(output_file),
        "MESOS_SANDBOX": str(work_dir),
    }
    return Orders(
        program=SHELL if task.shell else _program(task, environment["PATH"]),
        argv=[SHELL, "-c", task.command] if task.shell else [task.command, *task.arguments],
        environment=environment,
        account=_credentials(account),
        grace_seconds=task.grace_seconds,
        wall_seconds=task.limits.wall_seconds,
        cpu_seconds=task.limits.cpu_seconds,
        memory_mb=task.limits.memory_mb if task.limits.memory_mb > 0 else None,
    )


def _refuse_unwritable_text(task: Task) -> None:
    """Refuse what the operating system cannot take as a name, an argument or a variable."""
    for field, text in _texts(task):
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise LaunchRefused(f"{field}: {text!r} has a character that cannot be written.") from None
        if "\0" in text:
            raise LaunchRefused(f"{field}: {text!r} has a NUL character, which no program can be given.")
    for variable in task.environment:
        if not variable or "=" in variable:
            raise LaunchRefused(f"environment: {variable!r} cannot be the name of a variable.")


def _texts(task: Task) -> Iterator[tuple[str, str]]:
    yield "name", task.name
    yield "command", task.command
    for argument in task.arguments:
        yield "arguments", argument
    for name, value in task.environment.items():
        yield "environment", name
        yield "environment", value


def _refuse_container(container: Container | None) -> None:
    if container is None:
        return
    if container.image:
        raise LaunchRefused(
            f"container.image: {container.image!r} cannot run because this pool runs no images; "
            "start the server with --pool docker or remove container.image."
        )
    for field, asked in (
        ("volumes", bool(container.volumes)),
        ("parameters", bool(container.parameters)),
        ("network", container.network != "HOST"),
        ("networkName", bool(container.network_name)),
        ("networkInfos", bool(container.network_infos)),
    ):
        if asked:
            raise LaunchRefused(
                f"container.{field}: this pool runs plain processes and cannot honour it; "
                f"start the server with --pool docker or remove container.{field}."
            )


def user_objection(user: str) -> str:
    """Why no task can run as ``user``, beginning with the field of a job that says it; "" when it can."""
    if not user:
        return ""
    wanted = _entry(user)
    if wanted is None:
        return (
            f'runAsUser is "{user}", but there is no such user on {os.uname().nodename}; create it there, or leave'
            " runAsUser empty to run as the server's own user."
        )
    if wanted.pw_uid != os.geteuid() and os.geteuid() != 0:
        own = _entry(str(os.geteuid()))
        server = own.pw_name if own else os.geteuid()
        return (
            f'runAsUser is "{user}", but the server runs as "{server}" and only root may run tasks as others;'
            " start the server as root, or leave runAsUser empty to run as its own user."
        )
    return ""


def _account(user: str) -> pwd.struct_passwd | None:
    """The account to run as; None when the server's own has no entry on this machine."""
    objection = user_objection(user)
    if objection:
        raise LaunchRefused(objection)
    return _entry(user or str(os.geteuid()))


def _entry(user: str) -> pwd.struct_passwd | None:
    """An account by its name or number."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        pass
    try:
        return pwd.getpwuid(int(user))
    except (KeyError, ValueError, OverflowError):
        return None


def _credentials(account: pwd.struct_passwd | None) -> Account | None:
    if account is None or account.pw_uid == os.geteuid():
        return None
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return Account(uid=account.pw_uid, gid=account.pw_gid, groups=groups)


def _usual_environment(account: pwd.struct_passwd | None, work_dir: Path) -> dict[str, str]:
    """What programs expect to find, and nothing else of the server's own environment."""
    environment = {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": account.pw_dir if account else str(work_dir),
        "TMPDIR": str(work_dir),
    }
    if account:
        environment.update(USER=account.pw_name, LOGNAME=account.pw_name)
    return environment


def _program(task: Task, path: str) -> str:
    """Where the program is. A relative path can only name something in the work folder: what the task fetches."""
    command = task.command
    if task.fetch and "/" in command and not command.startswith("/"):
        return command
    if not command:
        raise LaunchRefused(
            "command: is empty, and this pool runs no images whose own program it could mean; give a command."
        )
    found = shutil.which(command, path=path) if "/" not in command or command.startswith("/") else None
    if found is None:
        where = "does not exist or may not be executed" if "/" in command else f"is not in PATH ({path})"
        raise LaunchRefused(f"command: {command!r} {where}; correct it, or set shell to true if it is a shell line.")
    return found
