"""The upstream and the load generator: small C programs of ours, compiled where they are run."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class NoCompilerError(Exception):
    """There is no C compiler on this machine."""


def build(folder: Path) -> None:
    """Compile both programs into a folder.

    Raises:
        NoCompilerError: nothing here compiles C.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompilerError("make bench needs a C compiler (cc) for its upstream and its load generator.")
    for name in ("upstream", "load"):
        command = [compiler, "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True)


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
    command = ["taskset", "-c", str(core), str(folder / "load"), str(port), str(file), str(total), str(readers)]
    return subprocess.Popen([*command, str(open_ms)], stdout=subprocess.PIPE)
