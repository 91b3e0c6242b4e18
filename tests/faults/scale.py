"""How much the fault tests do: enough to find each fault in ``make test``, far more in ``make faults``."""

import os

LONG = os.environ.get("GOODSTANDING_FAULTS") == "long"
INVESTORS = 500
"""Of each venue."""
POSTGRES_DEATHS = 10 if LONG else 1
REFS = [f"investor-{number}" for number in range(INVESTORS)]
LATE_REFS = REFS[::-1]
