"""Deferred and immediate signals."""

import os
import signal
import subprocess
import sys
import time

import pytest
from shanghaitech_layout import write_part

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets.shanghaitech import ShanghaiTech
from cpcnn_jax.distributed import preemption


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_deferred(signum):
    handler = signal.getsignal(signum)
    with preemption.deferred_signals() as stop:
        assert stop() is None
        os.kill(os.getpid(), signum)
        assert stop() == signum
    assert signal.getsignal(signum) is handler


def test_second_signal_kills_the_process():
    program = (
        "import time\n"
        "from cpcnn_jax.distributed import preemption\n"
        "with preemption.deferred_signals() as stop:\n"
        "    print('ready', flush=True)\n"
        "    while not stop(): time.sleep(0.01)\n"
        "    print('deferred', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "deferred\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGINT
        assert time.monotonic() - start < 20


def test_message_names_the_signal_and_the_step():
    error = preemption.Interrupted(signal.SIGTERM, "after step 3")
    assert str(error) == "SIGTERM: stopped after step 3"
    assert error.signum == 15


def test_immediate_signals_raise_interrupted():
    with preemption.deferred_signals() as stop:
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(preemption.Interrupted, match="SIGTERM: stopped in the t"):
            with preemption.immediate_signals(stop, "in the test"):
                os.kill(os.getpid(), signal.SIGTERM)
                pytest.fail("continued after the signal")
        assert signal.getsignal(signal.SIGTERM) is handler and stop() is None
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(preemption.Interrupted, match="SIGINT: stopped in the test"):
            with preemption.immediate_signals(stop, "in the test"):
                pytest.fail("started after a signal")


def test_stopped_preparation_leaves_no_copy(tmp_path, monkeypatch):
    """The second of three images stops it; the next call prepares all of them."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    settings = config.ShanghaiTech(str(write_part(tmp_path / "data")))
    read, done = ShanghaiTech.example, []

    def example(self, item):
        if done:
            os.kill(os.getpid(), signal.SIGTERM)
        done.append(item)
        return read(self, item)

    with monkeypatch.context() as patch, preemption.deferred_signals() as stop:
        patch.setattr(ShanghaiTech, "example", example)
        with (
            pytest.raises(preemption.Interrupted),
            preemption.immediate_signals(stop, "there"),
        ):
            data.open_dataset(settings, "train")
    assert len(done) == 1
    assert not list((tmp_path / "prepared").rglob("dataset_info.json"))
    assert data.open_dataset(settings, "train").names == ("IMG_1", "IMG_2", "IMG_10")
