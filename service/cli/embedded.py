"""The service in this process, for `--local`: on a free port, without output, ended with the command."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from service.app import create_app
from service.cli.exits import FAILED, fail, fail_settings
from service.cli.serving import settings_or_exit
from service.server import configuration
from service.settings import SettingsError
from service.telemetry.logs import configure_logs

_PRIVATE = {  # writes no file; only this command uses it
    "host": "127.0.0.1",
    "port": 0,
    "workers": 1,
    "api_keys_file": None,
    "journal_url": "memory://",
    "database_url": "sqlite+aiosqlite://",
}


@contextmanager
def embedded_service() -> Iterator[str]:
    """Run a service with this environment's settings inside the block; yield its URL."""
    settings = settings_or_exit(host="127.0.0.1", port=0).model_copy(update=_PRIVATE)
    configure_logs(settings.log_format, "error")
    try:
        config = configuration(settings, create_app(settings))
    except SettingsError as error:
        fail_settings(error)
    listening = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="service", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)  # uvicorn has no event for it
        if not server.started:
            fail("The service could not be started.", FAILED)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
