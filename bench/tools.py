"""The upstream and the load generator: small C programs of ours, compiled where they are run, or Python's stand-ins."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.processes import python

HERE = Path(__file__).parent


def build(folder: Path) -> bool:
    """Compile both programs into a folder. False: nothing here compiles C, and plain Python stands in for them."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return False
    for name in ("upstream", "load"):
        command = [compiler, "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True)
    return True


def compiled(folder: Path) -> bool:
    """Whether the programs in a folder are the quick ones."""
    return (folder / "load").exists()


def program(folder: Path, name: str) -> list[str]:
    """The command that runs a program, and its stand-in where it was not compiled."""
    return [str(folder / name)] if compiled(folder) else python("-m", f"bench.plain_{name}")


def request(model_id: str) -> bytes:
    """The request each reader sends; every gateway takes the tutorial's body."""
    body = json.dumps({"prompt": "Hello", "model_id": model_id}).encode()
    head = (
        "POST /api/generate/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(  # what one run of the generator is
    folder: Path, core: int, port: int, asked: bytes, *, total: int, readers: int, open_ms: int = 0
) -> dict[str, Any]:
    """Run the load generator and return what it measured."""
    process = start_load(folder, core, port, asked, total=total, readers=readers, open_ms=open_ms)
    measured, _ = process.communicate(timeout=180)
    result: dict[str, Any] = json.loads(measured)
    return result


def start_load(
    folder: Path, core: int, port: int, asked: bytes, *, total: int, readers: int, open_ms: int = 0
) -> "subprocess.Popen[bytes]":
    """Start the load generator."""
    file = folder / f"request-{abs(hash(asked))}.txt"
    file.write_bytes(asked)
    command = ["taskset", "-c", str(core), *program(folder, "load"), str(port), str(file), str(total), str(readers)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen([*command, str(open_ms)], stdout=subprocess.PIPE, env=environment)
