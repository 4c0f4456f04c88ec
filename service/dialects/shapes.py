"""What the OpenAPI descriptions of these formats have in common. Nothing is built from such models."""

from pydantic import BaseModel, ConfigDict


class WireShape(BaseModel):
    """Describes what is sent; the tests hold the events to it."""

    model_config = ConfigDict(extra="forbid", json_schema_mode_override="serialization", defer_build=True)
