"""Loading of groups of images ahead of the training."""

import signal
import threading
import time
from concurrent.futures import CancelledError
from contextlib import closing

import pytest
import tiny_experiment

from cpcnn_jax.data.example_order import Round
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.training.round_loader import load_rounds

ROUNDS = [Round(0, 0, 4), Round(1, 4, 6), Round(0, 6, 9)]


def load_all(load, stop=tiny_experiment.never):
    return load_rounds(load, iter(ROUNDS), lambda data: f"placed {data}", stop)


def test_groups_are_loaded_one_ahead():
    loaded = []

    def load(group, cancelled):
        loaded.append(group)
        return group

    with closing(load_all(load)) as rounds:
        assert next(rounds) == (ROUNDS[0], "placed 0")
        deadline = time.monotonic() + 20
        while len(loaded) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert loaded == [0, 1]  # and not the third one
        assert list(rounds) == [(ROUNDS[1], "placed 1"), (ROUNDS[2], "placed 0")]


def test_a_signal_during_loading_is_heard_and_ends_the_reading():
    ended = threading.Event()

    def load(group, cancelled):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if cancelled():
                ended.set()
                raise CancelledError
            time.sleep(0.01)

    began = time.monotonic()
    with pytest.raises(Interrupted, match="SIGTERM: stopped while images were read"):
        list(load_all(load, lambda: signal.SIGTERM))
    assert time.monotonic() - began < 30 and ended.is_set()


def test_errors_of_images_reach_the_caller():
    def load(group, cancelled):
        if group == 1:
            raise ValueError("b.jpg is damaged")
        return group

    with closing(load_all(load)) as rounds:
        assert next(rounds)[0] == ROUNDS[0]
        with pytest.raises(ValueError, match="b.jpg is damaged"):
            next(rounds)


def test_a_timeout_of_the_reading_is_not_taken_for_waiting():
    def load(group, cancelled):
        raise TimeoutError("the disk does not answer")

    with pytest.raises(TimeoutError, match="the disk does not answer"):
        list(load_all(load))
