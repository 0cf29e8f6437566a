"""Ctrl-C while Ray starts or ends waits until it has."""

import signal

import pytest

from orchestrator.cluster import interrupts_later


def test_an_interrupt_comes_at_the_end_of_the_context_and_only_then() -> None:
    done: list[str] = []

    def start() -> None:
        with interrupts_later():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_is_raised_and_an_error_is_its_own() -> None:
    with interrupts_later():
        pass
    with pytest.raises(ValueError, match="own"), interrupts_later():
        raise ValueError("own")
