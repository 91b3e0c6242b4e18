"""Let decisions about one security queue in the process, not on the database.

The row lock of a security makes decisions about it follow one another anyway. Waiting for that lock in a transaction
would keep a connection each, until none is left for anything else; here they wait in order and hold nothing. Other
processes still meet at the row.
"""

import asyncio
from weakref import WeakValueDictionary

_turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


def take_turn(org_id: str, security_id: str) -> asyncio.Lock:
    """Return the lock to hold while deciding about a security that the caller calls ``security_id``."""
    key = (org_id, security_id)
    lock = _turns.get(key)
    if lock is None:
        lock = _turns[key] = asyncio.Lock()
    return lock
