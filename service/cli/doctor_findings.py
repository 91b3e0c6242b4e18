"""What a check of ``doctor`` finds."""

from dataclasses import dataclass
from typing import Literal

from service.settings import Settings
from service.web.context import Context


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome; ``remedy`` says what to do, empty if nothing is wrong."""

    check: str
    outcome: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a check looks at."""

    settings: Settings
    context: Context
