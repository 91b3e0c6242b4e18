"""The log over HTTP, for everybody: it shows salted hashes and signatures only."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from service.credentials.merkle import find_consistency_spans
from service.credentials.tlog_tiles import TilePathError, cut_tile, parse_tile_path
from service.errors import InvalidInputError, NotFoundError
from service.log.accesses_api import router as accesses_router
from service.log.identity import LOG_PATH, describe_log
from service.storage.log import hash_log_spans, read_newest_checkpoint, read_tiles
from service.web.dependencies import ContextDep
from service.web.models import AnswerModel
from service.web.openapi import answers, answers_media

CHECKPOINT_TYPE = "text/plain; charset=utf-8"
TILE_TYPE = "application/octet-stream"
ANYONE = {"Access-Control-Allow-Origin": "*"}
FRESH = ANYONE | {"Cache-Control": "no-cache"}
IMMUTABLE = ANYONE | {"Cache-Control": "public, max-age=31536000, immutable"}


class LogSizeError(InvalidInputError):
    """Not sizes that the log had, or not in order."""

    code = "log_size_unknown"


router = APIRouter(tags=["log"])
router.routes.extend(accesses_router.routes)


@router.get("/.well-known/goodstanding-log")
async def get_log(context: ContextDep, response: Response) -> dict[str, Any]:
    """Return the log's address and verifier keys: the one that signs now, and all that signed."""
    response.headers.update(FRESH)
    async with context.database.reading() as session:
        return await describe_log(session, context.base_url, context.clock())


@router.get(f"{LOG_PATH}/checkpoint", responses=answers_media("text/plain"))
async def get_checkpoint(context: ContextDep) -> Response:
    """Return the newest published checkpoint, a signed note."""
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=True)
    if newest is None:
        raise NotFoundError
    return Response(newest.note, media_type=CHECKPOINT_TYPE, headers=FRESH)


class ConsistencyAnswer(AnswerModel):
    """Hashes in base64, in the order of RFC 6962, section 2.1.2."""

    old_size: int
    new_size: int
    consistency_proof: list[str]


@router.get(f"{LOG_PATH}/consistency", responses=answers(ConsistencyAnswer))
async def get_consistency(
    context: ContextDep,
    response: Response,
    old_size: Annotated[int, Query(alias="from", ge=0, description="Size of the earlier checkpoint.")],
    new_size: Annotated[
        int | None, Query(alias="to", ge=0, description="Size of the later one; default: the newest that is published.")
    ] = None,
) -> dict[str, Any]:
    """Prove that a later log begins with an earlier one, for those who keep no tiles."""
    response.headers.update(ANYONE)
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=True)
        published = newest.tree_size if newest else 0
        size = published if new_size is None else new_size
        if not old_size <= size <= published:
            raise LogSizeError("`from` and `to` are sizes of the log, in this order, up to the newest checkpoint's.")
        proof = await hash_log_spans(session, find_consistency_spans(old_size, size)) if old_size else []
    encoded = [base64.b64encode(each).decode() for each in proof]
    return {"old_size": old_size, "new_size": size, "consistency_proof": encoded}


@router.get(f"{LOG_PATH}/tile/{{tile_path:path}}", responses=answers_media(TILE_TYPE))
async def get_tile(
    context: ContextDep,
    tile_path: Annotated[str, Path(description="Level or `entries`, index, and for a partial tile `.p/` and width.")],
) -> Response:
    """Return a tile of hashes, or a bundle of entries."""
    try:
        tile, width = parse_tile_path(tile_path)
    except TilePathError:
        raise NotFoundError from None
    async with context.database.reading() as session:
        data = (await read_tiles(session, [tile])).get(tile)
    cut = None if data is None else cut_tile(tile, data, width)
    if cut is None:
        raise NotFoundError
    return Response(cut, media_type=TILE_TYPE, headers=IMMUTABLE)
