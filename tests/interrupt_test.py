import os
import signal
import subprocess
import sys
import time

import pytest

from cpcnn_jax import interrupt


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(signum):
    before = signal.getsignal(signum)
    with interrupt.deferred() as stop:
        assert stop() is None
        os.kill(os.getpid(), signum)
        assert stop() == signum
    assert signal.getsignal(signum) is before


def test_the_second_signal_kills_at_once():
    program = (
        "import time\n"
        "from cpcnn_jax import interrupt\n"
        "with interrupt.deferred() as stop:\n"
        "    print('ready', flush=True)\n"
        "    while not stop(): time.sleep(0.01)\n"
        "    print('noted', flush=True)\n"
        "    time.sleep(60)\n"
    )
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "noted\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGINT
        assert time.monotonic() - began < 20


def test_the_words_say_which_signal_and_where():
    error = interrupt.Interrupted(signal.SIGTERM, "after step 3")
    assert str(error) == "SIGTERM: stopped after step 3"
    assert error.signum == 15
