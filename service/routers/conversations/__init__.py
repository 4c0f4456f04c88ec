"""`/api/conversations`: conversations that are kept, and what is said in them."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from service.conversations.factory import OpenConversations
from service.conversations.values import Conversation, StoredMessage
from service.dialects.native import events
from service.errors import InvalidRequest
from service.http.dependencies import CallerDep, DisconnectHeader, EngineDep, KeyHeader, OwnerDep
from service.http.headers import stream_headers
from service.http.openapi.document import EVENTS, GENERATING, problems
from service.http.resume import StreamRoute, heading, native_encoder
from service.http.stream_response import StreamResponse, whole
from service.routers.conversations import shapes
from service.routers.conversations.bodies import Changes, NewConversation, Send
from service.routers.conversations.sending import MessageSender, StartedReply, stream_horizon_ms

router = APIRouter(prefix="/api/conversations", tags=["Conversations"], route_class=StreamRoute)

_HEX = frozenset("0123456789abcdef")
_ID_LENGTH = 32
_REQUEST = problems(404, 413, 415, 422, 503)


async def _opened(request: Request) -> OpenConversations:
    opened: OpenConversations = await request.state.conversations.open()
    return opened


async def _conversation_id(
    conversation_id: Annotated[str, Path(description="32 hexadecimal digits, as the answers have them")],
) -> str:
    if len(conversation_id) != _ID_LENGTH or not _HEX.issuperset(conversation_id):
        raise InvalidRequest("A conversation id is 32 hexadecimal digits.", status=400)
    return conversation_id


OpenedDep = Annotated[OpenConversations, Depends(_opened)]
ConversationId = Annotated[str, Depends(_conversation_id)]
Cursor = Annotated[str | None, Query(description="The `next_cursor` of an earlier page")]


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


@router.post(
    "",
    summary="Begin a conversation",
    status_code=201,
    responses={201: {"model": shapes.ConversationShape}, **_REQUEST},
)
async def create(opened: OpenedDep, caller: OwnerDep, body: NewConversation | None = None) -> Response:
    """Begin a conversation. Its model and system prompt hold for every send that names no other."""
    made = await opened.store.create(caller, **(body or NewConversation()).model_dump())
    return _json(shapes.conversation(made), 201, {"Location": f"/api/conversations/{made.id}"})


@router.get(
    "",
    summary="List the conversations",
    responses={200: {"model": shapes.ConversationsShape}, **problems(422, 503)},
)
async def list_conversations(
    opened: OpenedDep,
    caller: OwnerDep,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 20,
    cursor: Cursor = None,
) -> Response:
    """List the caller's conversations, the latest first, in pages."""
    page = await opened.store.page(caller, limit=limit, cursor=cursor)
    shown = [shapes.conversation(conversation) for conversation in page.conversations]
    return _json({"conversations": shown, "next_cursor": page.next_cursor})


@router.get(
    "/{conversation_id}",
    summary="Read a conversation",
    responses={200: {"model": shapes.WholeShape}, **problems(404, 422, 503)},
)
async def read(
    opened: OpenedDep,
    caller: OwnerDep,
    conversation_id: ConversationId,
    limit: Annotated[int, Query(ge=1, le=500, description="How many messages at most")] = 200,
    cursor: Cursor = None,
) -> Response:
    """Read a conversation with its last messages, in their order; `cursor` leads to those before them."""
    conversation, messages, earlier = await opened.store.read(caller, conversation_id, limit=limit, cursor=cursor)
    if any(message.answering for message in messages):
        left = await opened.sends.unfinished_in(conversation_id)
        if left is None or await opened.recorder.catch_up(left):
            conversation, messages, earlier = await opened.store.read(
                caller, conversation_id, limit=limit, cursor=cursor
            )
    return _json(_whole(opened, conversation, messages, earlier))


def _whole(
    opened: OpenConversations, conversation: Conversation, messages: list[StoredMessage], earlier: str | None
) -> dict[str, Any]:
    shown = [shapes.message(_up_to_now(opened, message)) for message in messages]
    return {**shapes.conversation(conversation), "messages": shown, "next_cursor": earlier}


def _up_to_now(opened: OpenConversations, message: StoredMessage) -> StoredMessage:
    """Give a reply that is still coming what it has said so far."""
    content = opened.recorder.so_far(message.id) if message.answering else None
    return message if content is None else msgspec.structs.replace(message, content=content)


@router.patch(
    "/{conversation_id}",
    summary="Rename a conversation, or change how it goes on",
    responses={200: {"model": shapes.ConversationShape}, **_REQUEST},
)
async def change(opened: OpenedDep, caller: OwnerDep, conversation_id: ConversationId, body: Changes) -> Response:
    """Change what the body names: `title`, `system`, `model_id`, `max_messages`."""
    changes = body.model_dump(exclude_unset=True)
    return _json(shapes.conversation(await opened.store.change(caller, conversation_id, changes)))


@router.delete(
    "/{conversation_id}", summary="Delete a conversation", status_code=204, responses=problems(404, 422, 503)
)
async def delete(opened: OpenedDep, engine: EngineDep, caller: OwnerDep, conversation_id: ConversationId) -> Response:
    """Delete a conversation with all its messages; a reply that is being given is cancelled, its streams forgotten."""
    conversation = await opened.store.get(caller, conversation_id)
    if conversation.answering and (log := await engine.journal.find(conversation.answering)) and not log.end:
        await engine.cancel(conversation.answering, caller)
    since_ms = stream_horizon_ms(engine.settings)
    for stream_id in await opened.store.delete(caller, conversation_id, since_ms=since_ms):
        if log := await engine.journal.find(stream_id):
            await engine.purge(log)
    return Response(status_code=204)


_REPLY = shapes.ReplyShape.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")


@router.post(
    "/{conversation_id}/messages",
    summary="Say something, and stream the reply",
    responses={
        **EVENTS,
        200: {
            "description": "The reply, or its stream",
            "headers": EVENTS[200]["headers"],
            "content": {
                **EVENTS[200]["content"],
                "application/json": {"schema": _REPLY},
            },
        },
        **GENERATING,
        **problems(409),
    },
)
async def send(
    request: Request,
    opened: OpenedDep,
    engine: EngineDep,
    caller: CallerDep,
    conversation_id: ConversationId,
    body: Send,
    key: KeyHeader = None,
    on_disconnect: DisconnectHeader = None,
) -> Response:
    """Add the user's message and generate with the history. The reply is kept even when its reader leaves."""
    sender = MessageSender(request, engine, opened, caller, conversation_id)
    sent = await sender.send(body, key, on_disconnect)
    if body.stream:
        return StreamResponse(engine, sent.log, native_encoder(sent.log), fresh=True)
    return await _reply(request, opened, conversation_id, sent)


async def _reply(request: Request, opened: OpenConversations, conversation_id: str, sent: StartedReply) -> Response:
    """Wait for the whole reply, and for it to be kept."""
    log = sent.log
    end = await whole(request.receive, log)
    left = await opened.sends.unfinished_in(conversation_id)
    if left and left.stream_id == log.stream_id:
        await opened.recorder.catch_up(left)
    message_id = sent.reply_id or await opened.sends.reply_of(log.stream_id)
    body = events.whole(heading(log), log.events, end)
    body |= {"conversation_id": conversation_id, "message_id": message_id}
    return _json(body, headers=stream_headers(log))
