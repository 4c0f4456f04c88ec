"""A process that has imported what the command needs, and forks into it: a second of work saved at each start.

It reads one order a line, as JSON: `arguments`, `environment`, `folder`, `output`, and, where they are wanted apart,
`complaints` and the file for the `status` in the end; and answers with the new process's number. What it forks is as
good as what was executed: the same command, in a session of its own, with nothing inherited but modules.
"""

import ctypes
import importlib
import json
import os
import random
import signal
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1  # Linux, as the /proc that the tests look into


def main() -> None:
    """Take orders until there are no more."""
    for name in ("app", "cli.serving", "local.server", "server", "streams.sqlite", "streams.valkey"):
        importlib.import_module(f"service.{name}")

    assert threading.active_count() == 1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the system takes them away
    answer("ready")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
        answer(str(pid))


def answer(line: str) -> None:
    """Say something to whoever gives the orders."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def become(order: dict[str, Any]) -> None:
    """Run the command, and be gone with it."""
    status = 1
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # whatever becomes of the tests, it does not stay
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        output = opened(order["output"])
        complaints = opened(order["complaints"]) if "complaints" in order else output
        for number, replaced in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (complaints, 2)):
            os.dup2(number, replaced)
        random.seed()
        sys.argv = ["artesian", *order["arguments"]]

        from service.cli import main as command

        command()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        if "status" in order:
            os.write(opened(order["status"]), b"%d\n" % status)
        os._exit(status)


def opened(path: str) -> int:
    """Open a file to write at its end."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


if __name__ == "__main__":
    main()
