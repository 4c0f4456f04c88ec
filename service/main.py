"""The application of this process: the one module that reads the environment when it is imported."""

from service.app import create_app
from service.settings import read_settings

app = create_app(read_settings())
