"""The local Bedrock: an emulator of Bedrock's wire protocol that answers with generated text."""

from service.local.app import create_local_app
from service.local.server import serve_local

__all__ = ["create_local_app", "serve_local"]
