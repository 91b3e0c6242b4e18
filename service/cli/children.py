"""Processes of ours that must not outlive the one that started them."""

import multiprocessing
import os
import signal
from threading import Thread


def end_with_parent() -> None:
    """End this process when its parent does: killed, that stops nobody, and its successor would find the port taken."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
