"""The built-in local Bedrock: AWS's wire on a socket of this machine, with words of its own."""

from service.local.app import create_local_app
from service.local.server import serve_local

__all__ = ["create_local_app", "serve_local"]
