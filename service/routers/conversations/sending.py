"""Sending in a conversation: claim it, generate with its history, and keep what comes."""

import asyncio
import hashlib
from typing import NamedTuple

import msgspec
from fastapi import Request

from service.access.caller import Caller
from service.conversations.factory import OpenConversations
from service.conversations.history import unanswered, window
from service.conversations.values import Claimed, Json, Role, SendKey, now_ms
from service.dialects.native import request as native
from service.engine.engine import Engine, GenerateRequest
from service.errors import FieldError, InvalidRequest, ServiceError
from service.generation import Message, OnDisconnect, Policies
from service.generation import Request as Generation
from service.http.dependencies import idempotency_key
from service.routers.conversations.bodies import Send
from service.settings import Settings
from service.streams.log import StreamLog

_BEGINNING_S = 5.0  # for another request with the same key to begin its stream
_LOOK_AGAIN_S = 0.02


def stream_horizon_ms(settings: Settings) -> int:
    """Streams that began before this are no longer kept."""
    return now_ms() - int((settings.stream_ttl + settings.request_timeout) * 1000)


class StartedReply(NamedTuple):
    """A send under way; `reply_id` is None where it attached to an earlier one."""

    log: StreamLog
    reply_id: str | None


class MessageSender:
    """One request's send."""

    def __init__(
        self, request: Request, engine: Engine, opened: OpenConversations, caller: Caller, conversation_id: str
    ) -> None:
        self._request = request
        self._engine = engine
        self._opened = opened
        self._caller = caller
        self._conversation_id = conversation_id

    async def send(self, body: Send, key_header: str | None, on_disconnect: OnDisconnect | None) -> StartedReply:
        """Begin a reply, or attach to the one that the key has begun.

        Raises:
            ServiceError: the send was refused, and nothing was kept.
        """
        engine_key = idempotency_key(key_header, self._caller.id, self._fingerprint(body))
        key = SendKey(engine_key.key, engine_key.fingerprint) if engine_key else None
        claimed = await self._earlier_or_claim(body, key)
        if isinstance(claimed, str):
            return StartedReply(await self._engine.find(claimed, self._caller.id), None)
        try:
            content = _content(body, claimed)
            policies = Policies(
                on_interruption=body.on_interruption or self._engine.settings.on_interruption,
                on_disconnect=on_disconnect or body.on_disconnect or "drain",
            )
            order = GenerateRequest(
                request=self._to_request(body, claimed, content),
                caller=self._caller,
                dialect="native",
                policies=policies,
                key=engine_key,
                archived=True,
            )
            log = await self._begin(order, claimed, content, key)
        except BaseException:
            await self._opened.sends.release(claimed.reply_id)
            raise
        self._opened.recorder.follow(claimed.reply_id, log)
        return StartedReply(log, claimed.reply_id)

    async def _begin(
        self, order: GenerateRequest, claimed: Claimed, content: list[Json], key: SendKey | None
    ) -> StreamLog:
        """Start the generation and keep the message; where it cannot be kept there is no generation either."""
        log = await self._engine.start(order)
        try:
            await self._opened.sends.store(
                claimed, content, stream_id=log.stream_id, model_id=log.record.request.model_id, key=key
            )
        except BaseException:
            await self._engine.cancel(log.stream_id, self._caller.id)
            await self._engine.journal.stored(log.stream_id)  # there is no reply that it could be stored as
            if order.key:
                await self._engine.journal.unbind(order.key)
            raise
        return log

    async def _earlier(self, key: SendKey) -> str | None:
        """Find the stream of an earlier send with this key; one that is only beginning is waited for."""
        since_ms = stream_horizon_ms(self._engine.settings)
        for _ in range(int(_BEGINNING_S / _LOOK_AGAIN_S)):
            found = await self._opened.sends.find_earlier(self._caller.id, key, since_ms)
            if found != "":
                return found
            await asyncio.sleep(_LOOK_AGAIN_S)
        return None

    async def _earlier_or_claim(self, body: Send, key: SendKey | None) -> str | Claimed:
        """Claim the conversation, or find the stream of an earlier send with the same key.

        A reply that is over but not yet written down is not in the way, and neither is one with this key that another
        request began just now.
        """
        sends, lease_s = self._opened.sends, self._engine.settings.lease
        for last in (False, True):
            if key and (earlier := await self._earlier(key)):
                return earlier
            try:
                return await sends.claim(
                    self._caller.id, self._conversation_id, lease_s=lease_s, key=key, replaces=body.replaces
                )
            except ServiceError as error:
                if error.code.name != "conflict":
                    raise
                if last or not (await self._is_over() or key):
                    await self._check_stored()
                    raise
        raise AssertionError("the second claim succeeds or raises")

    async def _is_over(self) -> bool:
        left = await self._opened.sends.unfinished_in(self._conversation_id)
        return left is None or await self._opened.recorder.catch_up(left)

    async def _check_stored(self) -> None:
        """Refuse to wait for a running reply that has ended: only the database is behind.

        Raises:
            ServiceError: `overloaded`.
        """
        left = await self._opened.sends.unfinished_in(self._conversation_id)
        if left and await self._opened.recorder.has_ended(left):
            raise ServiceError("overloaded", "The last reply of this conversation is not stored yet.", retry_after=2)

    def _to_request(self, body: Send, claimed: Claimed, content: list[Json]) -> Generation:
        settings, conversation = self._engine.settings, claimed.conversation
        turns = window(claimed.history, content, conversation.max_messages, tools=bool(body.tools))
        asked = body.model_copy(
            update={
                "system": body.system or conversation.system,
                "model_id": body.model_id or conversation.model_id,
            }
        )
        return native.to_request(
            asked,
            tuple(_turn(role, blocks) for role, blocks in turns),
            default_model_id=settings.default_model_id,
            default_api=settings.api,
            fault=self._request.headers.get("x-artesian-fault") if settings.local_faults else None,
            ceiling=self._caller.max_tokens,
        )

    def _fingerprint(self, body: Send) -> str:
        members = {"conversation": self._conversation_id, **body.model_dump(mode="json", exclude_unset=True)}
        return hashlib.sha256(msgspec.json.encode(members, order="deterministic")).hexdigest()


def _content(body: Send, claimed: Claimed) -> list[Json]:
    """What the user says.

    Raises:
        InvalidRequest: a result answers no call.
    """
    content = body.blocks() or (claimed.replaced.content if claimed.replaced else [])
    waiting = unanswered(claimed.history)
    for number, block in enumerate(content):
        if block["type"] == "tool_result" and block["tool_use_id"] not in waiting:
            field = f"content.{number}.tool_use_id"
            message = "answers no call of the last reply"
            raise InvalidRequest(f"{field}: {message}", [FieldError(field, message)])
    return content


def _turn(role: Role, blocks: list[Json]) -> Message:
    return native.Message.model_validate({"role": role, "content": blocks}).value()
