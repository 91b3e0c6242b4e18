"""Where ``log verify`` reads from: the log's address, or the database."""

from http import HTTPStatus

from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.encoding import parse_json
from service.credentials.signed_note import VerifierKey, parse_vkey
from service.credentials.tlog_tiles import TileId, cut_tile, format_tile_path
from service.errors import MalformedError, UnavailableError
from service.fetch import Fetcher
from service.storage.log import read_newest_checkpoint, read_tiles

WELL_KNOWN = "/.well-known/goodstanding-log"


class LogUnreachableError(UnavailableError):
    """The log's address answers with an error."""

    code = "log_unreachable"


class RemoteLog:
    """A log behind its address, by C2SP tlog-tiles."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")

    async def _read(self, path: str) -> bytes | None:
        answer = await self._fetcher.get(f"{self._url}/{path}", accept="*/*")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise LogUnreachableError(f"The log answers {answer.status}.")
        return answer.body

    async def read_checkpoint(self) -> bytes | None:
        """See ``LogSource``.

        Raises:
            LogUnreachableError: There is no checkpoint: what was published has one, so this is not its address.
        """
        checkpoint = await self._read("checkpoint")
        if checkpoint is None:
            raise LogUnreachableError("There is no checkpoint at this address; a log's ends in /log.")
        return checkpoint

    async def read_tile(self, tile: TileId, width: int) -> bytes | None:
        """See ``LogSource``."""
        return await self._read(f"tile/{format_tile_path(tile, width)}")


class StoredLog:
    """The log in the database, read in one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def read_checkpoint(self) -> bytes | None:
        """See ``LogSource``."""
        newest = await read_newest_checkpoint(self._session, published=True)
        return None if newest is None else newest.note.encode()

    async def read_tile(self, tile: TileId, width: int) -> bytes | None:
        """See ``LogSource``."""
        data = (await read_tiles(self._session, [tile])).get(tile)
        try:
            return None if data is None else cut_tile(tile, data, width)
        except MalformedError:
            return None  # a damaged bundle holds no entries


async def fetch_verifier_key(fetcher: Fetcher, url: str) -> VerifierKey:
    """Return the key that the log itself names: good for a first look, and to be kept from then on.

    Args:
        url: The log's address, ``<base>/log``.

    Raises:
        LogUnreachableError: It names none.
        FetchError: No answer.
    """
    base = url.rstrip("/").removesuffix("/log")
    answer = await fetcher.get(base + WELL_KNOWN)
    try:
        if answer.status == HTTPStatus.OK:
            return parse_vkey(str(parse_json(answer.body)["vkey"]))
    except (MalformedError, KeyError, TypeError):
        pass
    raise LogUnreachableError(f"{base + WELL_KNOWN} names no key of the log; pass --vkey.")
