"""Reads that don't wait for one another go to a server together: each trip to it costs more than a small read does.

They are coroutines like any other. Where each has come as far as it can, what all of them ask for is one statement.
"""

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar, cast, overload

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.direct import DirectConnection, Rows, Values

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_T = TypeVar("_T")
Read = Callable[[AsyncConnection], Coroutine[Any, Any, _T]]
_Asked = Sequence[tuple[str, Values]]


class _Ask:
    """What a read waits for, told to whoever steps it."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked

    def __await__(self) -> Generator[_Asked, Sequence[Rows], Sequence[Rows]]:
        return (yield self._asked)


class _Gathering(DirectConnection):
    """What reads see of a connection while others are under way on it: they may read, and nothing else."""

    is_remote = True

    def __init__(self, connection: DirectConnection) -> None:
        self.dialect = connection.dialect

    async def execute(self, *_: Any, **__: Any) -> CursorResult[Any]:
        raise TypeError("only what is prepared can be read together")

    async def fetch(self, text: str, values: Values) -> Rows:
        return (await _Ask([(text, values)]))[0]

    async def fetch_each(self, asked: _Asked) -> Sequence[Rows]:
        return await _Ask(asked)

    async def change(self, *_: Any, **__: Any) -> None:
        raise TypeError("nothing can be changed while others read")


@overload
async def read_together(connection: AsyncConnection, a: Read[_A], b: Read[_B], /) -> tuple[_A, _B]: ...
@overload
async def read_together(connection: AsyncConnection, a: Read[_A], b: Read[_B], c: Read[_C], /) -> tuple[_A, _B, _C]: ...
@overload
async def read_together(
    connection: AsyncConnection, a: Read[_A], b: Read[_B], c: Read[_C], d: Read[_D], /
) -> tuple[_A, _B, _C, _D]: ...
@overload
async def read_together(connection: AsyncConnection, /, *reads: Read[_T]) -> tuple[_T, ...]: ...
async def read_together(connection: AsyncConnection, /, *reads: Read[Any]) -> tuple[Any, ...]:
    """Return what each of the reads does; what one raises ends all.

    Args:
        reads: Wait for nothing but ``fetch_all`` on the connection that they are given. They see one moment or
            several, each no earlier than this call, and none locks anything.
    """
    if not isinstance(connection, DirectConnection) or not connection.is_remote:
        return tuple([await read(connection) for read in reads])
    gathering = cast(AsyncConnection, _Gathering(connection))
    steps = [_Step(read(gathering)) for read in reads]
    try:
        while asking := [each for each in steps if each.asked]:
            answers = iter(await connection.fetch_each([question for each in asking for question in each.asked]))
            for each in asking:
                each.go_on([next(answers) for _ in each.asked])
    finally:
        for each in steps:
            each.coroutine.close()
    return tuple(each.result for each in steps)


class _Step:
    """One read, and what it waits for; nothing once it is done."""

    asked: _Asked
    result: Any

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.go_on(None)

    def go_on(self, answers: Sequence[Rows] | None) -> None:
        """Let the read have its answers, and come as far as it can."""
        try:
            self.asked = self.coroutine.send(answers)
        except StopIteration as done:
            self.asked, self.result = (), done.value
