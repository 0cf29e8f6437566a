"""Two that do things at once, often enough that each interrupts the other anywhere."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def again_and_again(act: Callable[[], object], calls: Sequence[Callable[[], object]]) -> None:
    """Make ``calls`` in a loop while another thread acts in a loop; what they raise is raised."""
    switch, stop = sys.getswitchinterval(), threading.Event()

    def others() -> None:
        while not stop.is_set():
            act()

    sys.setswitchinterval(1e-6)  # between any two operations of the file system, sooner or later
    try:
        with ThreadPoolExecutor() as pool:
            running = pool.submit(others)
            try:
                for _ in range(300):
                    for call in calls:
                        call()
            finally:
                stop.set()
            running.result()
    finally:
        sys.setswitchinterval(switch)
