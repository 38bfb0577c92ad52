"""A shell command that only the first start of its container runs.

An engine notes that a program began a moment after it did. Killed in between and started again, the engine of a
swarm's node may start the container once more, whatever the restart condition says. So a shell that comes before the
command makes a file in the task's folder, which only the first can, and a later one leaves a mark there instead.

A command without a shell, and an image's own, may be run twice so: nothing in their image could look at a file.
"""

from __future__ import annotations

from chronos_py.pools.docker.request import SHELL
from chronos_py.pools.swarm.calls import Found
from chronos_py.pools.swarm.files import START_AGAIN

NOT_RUN_CODE = 125
# Without a process of its own, as a task may have no more than one; true is no special command, so a shell goes on.
_FIRST_ONLY = f"""\
set -C
{{ true > "$2"; }} 2> /dev/null && {{ set +C; exec /bin/sh -c "$1"; }}
set +C
if [ -e "$2" ]; then
    : > "${{2%/*}}/{START_AGAIN}"
    echo "chronos: started a second time; nothing was run" >&2
else
    echo "chronos: nothing was run, as $2 cannot be written" >&2
fi
exit {NOT_RUN_CODE}
"""


def once(command: str, start_path: str) -> tuple[list[str], list[str]]:
    """The program and the arguments that run ``command`` in a shell, unless that file is there already."""
    return [*SHELL, _FIRST_ONLY], [SHELL[0], command, start_path]


def was_not_run(task: Found, exit_code: int | None) -> bool:
    """Whether the exit code may be that of the shell before the command."""
    container = task["Spec"]["ContainerSpec"]
    program = [*(container.get("Command") or ()), *(container.get("Args") or ())]
    return exit_code == NOT_RUN_CODE and _FIRST_ONLY in program
