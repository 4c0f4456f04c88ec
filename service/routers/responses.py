"""`/v1/responses`: OpenAI's Responses, to be streamed, awaited in the background, resumed and referred to."""

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from service.conversations.archive import Archive, Found, pack_input
from service.dialects import openai_responses
from service.dialects.bounds import LARGEST
from service.dialects.refusal import wrong
from service.dialects.table import Name, heading, options, whole
from service.errors import InvalidRequest, ServiceError
from service.http import body
from service.http.compat import CompatRequest, CompatRequestDep, json_of
from service.http.dependencies import EngineDep, OwnerDep
from service.http.headers import stream_headers
from service.http.openapi import compat
from service.http.resume import StreamRoute
from service.http.stream_response import StreamResponse
from service.streams.log import StreamLog
from service.streams.record import parse_stream_id

Json = dict[str, Any]


class ResponsesRoute(StreamRoute):
    """Comes back in this format."""

    dialect: ClassVar[Name] = "responses"


router = APIRouter(prefix="/v1/responses", tags=["OpenAI"], route_class=ResponsesRoute)


async def _archive(request: Request) -> Archive:
    archive: Archive = request.state.archive
    return archive


def _stream_of(response_id: str) -> str | None:
    """Find the stream of a response's id; None where it is none of ours."""
    try:
        return parse_stream_id(openai_responses.stream_id(response_id) or "")
    except InvalidRequest:
        return None


ArchiveDep = Annotated[Archive, Depends(_archive)]
ResponseId = Annotated[str, Path(description="`resp_` and 32 hexadecimal digits")]


async def _found(archive: Archive, caller: str, response_id: str) -> Found:
    stream_id = _stream_of(response_id)
    if stream_id and (found := await archive.find(caller, stream_id)):
        return found
    raise _unknown()


def _unknown() -> ServiceError:
    return ServiceError("not_found", "There is no such response, or it is no longer stored.")


@router.post(
    "",
    summary="Answer, as OpenAI's Responses do",
    responses=compat.RESPONSE,
    openapi_extra=compat.body("ResponsesRequestBody"),
)
async def create(asking: CompatRequestDep, archive: ArchiveDep) -> Response:
    """Answer with a response, with `stream: true` with its events, with `background: true` at once."""
    return await _begun(asking, archive, await _parsed(asking, archive))


async def _parsed(asking: CompatRequest, archive: Archive) -> openai_responses.ResponsesRequest:
    """Read the body with what it refers to, which counts towards `MAX_BODY` as if it had been sent."""
    caller, settings = asking.caller.id, asking.engine.settings
    given, named = await asking.read("responses", lambda given: (given, openai_responses.references(given)))
    room = settings.max_body - asking.size
    earlier, room = await _earlier(archive, caller, named.previous_response_id, room)
    items, room = await archive.items(caller, named.items, room)
    parse = partial(openai_responses.parse, given, earlier=earlier, items=items)
    return await body.run(settings.max_body - room, lambda: parse(default_model_id=settings.default_model_id))


async def _begun(asking: CompatRequest, archive: Archive, parsed: openai_responses.ResponsesRequest) -> Response:
    background, stream = parsed.background, parsed.stream
    log = await asking.start(
        parsed,
        "responses",
        on_disconnect="drain" if background else None,
        store=parsed.store,
        archived=await pack_input(parsed.input) if parsed.store else None,
    )
    if parsed.store:
        archive.begin(log)
    del parsed  # which would otherwise be held until the whole answer has come
    if background and not stream:
        return json_of(log, whole(log, "responses"))
    return await asking.answer(log, "responses", stream=stream)


async def _earlier(archive: Archive, caller: str, response_id: str | None, room: int) -> tuple[list[Json], int]:
    """Find the conversation that a request continues, and how many bytes of `room` it leaves."""
    if response_id is None:
        return [], room
    stream_id = _stream_of(response_id)
    if stream_id and (found := await archive.find(caller, stream_id)):
        if found.log and not found.log.end:
            raise wrong("previous_response_id", "This response is not finished yet.")
        if (conversation := await archive.conversation(caller, stream_id, found)) is not None:
            return conversation, await archive.room_beside(conversation, room)
    raise openai_responses.previous_not_found()


@router.get("/{response_id}", summary="Read a response, or go on with its events", responses=compat.RESPONSE_READ)
async def retrieve(
    response_id: ResponseId,
    archive: ArchiveDep,
    engine: EngineDep,
    caller: OwnerDep,
    *,
    stream: Annotated[bool, Query(description="Its events, live to its end")] = False,
    starting_after: Annotated[
        int, Query(ge=-1, le=LARGEST, description="With `stream`: only events with a higher number")
    ] = -1,
) -> Response:
    """Read a response as it stands, or its events after a `sequence_number`."""
    found = await _found(archive, caller, response_id)
    if not stream:
        return _told(found)
    if found.log is None:
        raise ServiceError("gone", "The events of this response are no longer kept; it can still be read whole.")
    return StreamResponse(engine, found.log, _from(found.log, starting_after))


def _from(log: StreamLog, starting_after: int) -> openai_responses.ResponsesEvents:
    asked = options(log, "responses", openai_responses.ResponsesOptions)
    return openai_responses.ResponsesEvents(heading(log), asked, starting_after=starting_after)


@router.post("/{response_id}/cancel", summary="Cancel a response", responses=compat.RESPONSE_CANCELLED)
async def cancel(response_id: ResponseId, archive: ArchiveDep, engine: EngineDep, caller: OwnerDep) -> Response:
    """End a response that is being given; one that is finished stays as it is."""
    found = await _found(archive, caller, response_id)
    if found.log is None:
        return _told(found)
    log = await engine.cancel(found.log.stream_id, caller)
    return json_of(log, whole(log, "responses"))


@router.delete("/{response_id}", summary="Delete a response", responses=compat.RESPONSE_DELETED)
async def delete(response_id: ResponseId, archive: ArchiveDep, engine: EngineDep, caller: OwnerDep) -> Json:
    """Forget a response and its stream; one that is still being given is cancelled."""
    log = (await _found(archive, caller, response_id)).log
    if log and not log.end:
        await engine.cancel(log.stream_id, caller)
    await archive.delete(caller, _stream_of(response_id) or "")
    if log:
        await engine.purge(log)
    return openai_responses.deleted(response_id)


@router.get(
    "/{response_id}/input_items",
    summary="List what a response was asked with",
    responses=compat.RESPONSE_INPUT,
)
async def input_items(
    response_id: ResponseId,
    archive: ArchiveDep,
    caller: OwnerDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(description="The id of the last item seen")] = None,
) -> Json:
    """List the items of the conversation up to a response, those of earlier responses included."""
    stream_id = _stream_of(response_id) or ""
    given = await archive.input(caller, stream_id) if stream_id else None
    if given is None:
        raise _unknown()
    return openai_responses.listed(stream_id, given, limit=limit, newest_first=order == "desc", after=after)


def _told(found: Found) -> Response:
    headers = stream_headers(found.log) if found.log else None
    return Response(msgspec.json.encode(found.response), media_type="application/json", headers=headers)
