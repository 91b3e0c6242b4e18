"""How often Python looks for garbage: seldom, for what a start makes and a request leaves is hardly any."""

import gc

THRESHOLDS = (20_000, 20, 50)  # of Python's three generations; its own are (700, 10, 10)


def collect_seldom() -> None:
    """Let this process look for garbage less often; loading modules alone got a tenth faster."""
    gc.set_threshold(*THRESHOLDS)
