"""The application of this process: the one module that reads the environment when it is imported."""

from service.app import create_app
from service.settings import read_settings
from service.telemetry.logs import configure_logs

settings = read_settings()
configure_logs(settings.log_format, settings.log_level)  # a worker inherits nothing of what `artesian serve` has set up
app = create_app(settings)
