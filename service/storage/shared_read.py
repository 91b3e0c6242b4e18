"""Let questions that arrive while the database answers others go to it together, in the next read.

What is read for a question was read after the question arrived, so whatever was committed before is seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")

LARGEST_READ = 64


class SharedRead(Generic[_Question, _Answer]):
    """One read at a time. A question that finds none running is read at once, by itself.

    Args:
        read: Answers many questions, in their order.
    """

    def __init__(self, read: Callable[[Sequence[_Question]], Awaitable[Sequence[_Answer]]]) -> None:
        self._read = read
        self._waiting: list[tuple[_Question, asyncio.Future[_Answer]]] = []
        self._running = False
        self._rest: asyncio.Task[None] | None = None

    async def ask(self, question: _Question) -> _Answer:
        """Return the answer; raises what the read raises."""
        if self._running:
            future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((question, future))
            return await future
        self._running = True
        try:
            return (await self._read([question]))[0]
        finally:
            if self._waiting:
                self._rest = asyncio.create_task(self._read_waiting())
            else:
                self._running = False

    async def _read_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:LARGEST_READ], self._waiting[LARGEST_READ:]
                await self._answer([each for each in batch if not each[1].done()])
        finally:
            self._running = False

    async def _answer(self, batch: Sequence[tuple[_Question, "asyncio.Future[_Answer]"]]) -> None:
        try:
            answers = await self._read([question for question, _ in batch])
        except Exception as error:  # whoever asked raises it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
