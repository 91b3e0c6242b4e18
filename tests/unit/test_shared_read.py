"""Questions share reads, and every one is answered by a read that began after it was asked."""

import asyncio
from collections.abc import Sequence

import pytest

from service.storage.shared_read import LARGEST_READ, SharedRead


class Slow:
    """Answers with the moment at which its read began; a question below zero breaks the read."""

    def __init__(self) -> None:
        self.reads: list[list[int]] = []

    async def __call__(self, questions: Sequence[int]) -> list[tuple[int, int]]:
        self.reads.append(list(questions))
        began = len(self.reads)
        await asyncio.sleep(0.01)
        if min(questions) < 0:
            raise ValueError("broken")
        return [(question, began) for question in questions]


async def test_a_lone_question_is_read_at_once_and_later_ones_together() -> None:
    slow = Slow()
    shared = SharedRead(slow)
    first = asyncio.create_task(shared.ask(1))
    await asyncio.sleep(0)
    rest = await asyncio.gather(*(shared.ask(number) for number in (2, 3, 4)))
    assert (await first, rest) == ((1, 1), [(2, 2), (3, 2), (4, 2)])
    assert slow.reads == [[1], [2, 3, 4]]
    assert await shared.ask(5) == (5, 3)


async def test_a_question_never_joins_a_read_that_has_begun() -> None:
    slow = Slow()
    shared = SharedRead(slow)
    tasks = []
    begun_before = []
    for number in range(6):
        begun_before.append(len(slow.reads))
        tasks.append(asyncio.create_task(shared.ask(number)))
        await asyncio.sleep(0.003)
    answers = await asyncio.gather(*tasks)
    assert [question for question, _ in answers] == list(range(6))
    assert all(began > before for (_, began), before in zip(answers, begun_before, strict=True))
    assert len(slow.reads) < 6


async def test_a_large_crowd_is_read_in_parts() -> None:
    slow = Slow()
    shared = SharedRead(slow)
    answers = await asyncio.gather(*(shared.ask(number) for number in range(LARGEST_READ + 11)))
    assert [question for question, _ in answers] == list(range(LARGEST_READ + 11))
    assert [len(read) for read in slow.reads] == [1, LARGEST_READ, 10]


async def test_a_failed_read_fails_those_that_shared_it_and_no_others() -> None:
    shared = SharedRead(Slow())
    results = await asyncio.gather(shared.ask(1), shared.ask(-2), shared.ask(3), return_exceptions=True)
    assert results[0] == (1, 1)
    assert [type(each) for each in results[1:]] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="broken"):
        await shared.ask(-1)
    assert (await shared.ask(7))[0] == 7


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    shared = SharedRead(Slow())
    first, second, third = (asyncio.create_task(shared.ask(number)) for number in (1, 2, 3))
    await asyncio.sleep(0.001)
    first.cancel()
    second.cancel()
    assert (await third)[0] == 3
    assert (await asyncio.gather(first, second, return_exceptions=True)).count(None) == 0
    assert (await shared.ask(4))[0] == 4
