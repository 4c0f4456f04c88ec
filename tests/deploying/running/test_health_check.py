"""The image's HEALTHCHECK against a running, a suspended and a stopped service."""

import os
import signal
import subprocess
import sys

from tests.deploying.dockerfile import Instruction, last, stages
from tests.deploying.manifests import DEPLOY
from tests.failover.processes import Replica

IMAGE = stages(DEPLOY / "Dockerfile")[-1]


def health_check() -> list[str]:
    """Return the command with this Python in place of the image's."""
    options, _, command = last(IMAGE, "HEALTHCHECK").rest.partition("CMD ")
    assert "--timeout=3s" in options
    program, *arguments = Instruction("CMD", command).command
    assert program == "python"
    return [sys.executable, *arguments]


def checked(port: int) -> int:
    environment = {"ARTESIAN_PORT": str(port), "PATH": os.environ["PATH"], "HTTP_PROXY": "http://127.0.0.1:1"}
    return subprocess.run(health_check(), env=environment, check=False, stderr=subprocess.DEVNULL, timeout=5).returncode


async def test_the_health_check_passes_for_a_running_service_only(replica: Replica) -> None:
    assert checked(replica.port) == 0
    replica.signal(signal.SIGSTOP)
    assert checked(replica.port) == 1
    replica.signal(signal.SIGCONT)
    replica.signal(signal.SIGKILL)
    await replica.ended()
    assert checked(replica.port) == 1
