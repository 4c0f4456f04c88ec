"""`/v1/chat/completions`: OpenAI's Chat Completions."""

from typing import ClassVar

from fastapi import APIRouter, Response

from service.dialects import openai_chat
from service.dialects.table import Name
from service.http.compat import CompatRequestDep
from service.http.openapi import compat
from service.http.resume import StreamRoute


class ChatRoute(StreamRoute):
    """Comes back in this format."""

    dialect: ClassVar[Name] = "chat"


router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=ChatRoute)


@router.post(
    "/chat/completions",
    summary="Answer a conversation, as OpenAI's Chat Completions do",
    responses=compat.CHAT,
    openapi_extra=compat.body("ChatRequestBody"),
)
async def complete(asking: CompatRequestDep) -> Response:
    """Answer with one JSON object, or with `stream: true` with chunks and `[DONE]`."""
    default = asking.engine.settings.default_model_id
    parsed = await asking.read("chat", lambda given: openai_chat.parse(given, default_model_id=default))
    log = await asking.start(parsed, "chat", store=parsed.store)
    return await asking.answer(log, "chat", stream=parsed.stream)
