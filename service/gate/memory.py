"""Answers of pure functions, given again while the question is equal. Nothing that an answer depends on is left out:
it is compared with all arguments, not with a name for them.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Memory(Generic[_Answer]):
    """The latest answer about each of some things.

    Args:
        size: About how many; the one that was kept first goes first.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, tuple[object, _Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, about: Hashable, arguments: object) -> _Answer | None:
        """Return what was answered to equal arguments, if that is the latest about it."""
        kept = self._kept.get(about)
        return kept[1] if kept is not None and kept[0] == arguments else None

    def keep(self, about: Hashable, arguments: object, answer: _Answer) -> None:
        """Remember an answer. Neither it nor the arguments may change from now on."""
        self._kept.pop(about, None)
        self._kept[about] = arguments, answer
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Remember nothing."""
        self._kept.clear()
