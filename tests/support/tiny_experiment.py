"""The smallest experiment with every stage, and launch.py as users start it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from cpcnn_jax import config
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import to_variables

ROOT = Path(__file__).parents[2]
CONFIG = f"--config={__file__}"
# Flags for its density stage alone, which starts quickly. JAX polls for signals once a
# second, so that the stage must last longer.
BRIEF = (
    CONFIG,
    "--config.model.use_gce=false",
    "--config.model.use_lce=false",
    "--config.adversary.steps=0",
    "--config.density.steps=40",
)


def get_config():
    return config.Experiment(
        data=config.SyntheticCrowd(
            num_train=6, num_test=3, height=128, width=160, max_heads=60
        ),
        crops=config.Crops(num_plain=2, num_augmented=2, num_patches=4),
        model=config.Model(
            dme_columns=(((4, 5), (4, 3), (3, 3)), ((4, 3), (4, 3), (2, 3))),
            vgg_width_multiplier=0.125,
            gce_hidden_dims=(8, 8),
            lce_features=(4, 4, 8),
            lce_hidden_dims=(8, 8),
        ),
        gce=config.GCEStage(2, 8, 1e-3),
        lce=config.LCEStage(2, 8, 1e-3),
        density=config.DensityStage(4, 8, 1e-3),
        adversary=config.Adversary(2, 8, 1e-4, discriminator_width_multiplier=0.125),
        log_every=1,
        checkpoint_every=1,
        num_eval_images=2,
    )


def networks():
    """The experiment's networks with random parameters and biases."""
    model = cpcnn.build(get_config().model)
    return model, drawn(model)


def drawn(model):
    """Random parameters of a CPCNN, a flat dict."""
    image = jnp.zeros((1, 64, 64, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    rng = np.random.default_rng(0)
    return {
        name: np.float32(rng.normal(0, 0.1, leaf.shape))
        for name, leaf in flatten_dict(shapes, sep="/").items()
    }


def environment(devices):
    """Environment with simulated devices and the tests' compilation cache."""
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
    }


def start(*words, devices=8, under=()):
    """Starts launch.py, or a program in front of it."""
    return subprocess.Popen(
        [*under, sys.executable, "launch.py", *map(str, words)],
        cwd=ROOT,
        env=environment(devices),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def launch(*words, devices=8):
    """(exit status, stdout, stderr) of launch.py."""
    with start(*words, devices=devices) as process:
        try:
            out, err = process.communicate(timeout=500)
        finally:
            process.kill()
    return process.returncode, out, err


@contextlib.contextmanager
def several(count, *words, devices):
    """Several processes of launch.py in one run."""
    words += (f"--coordinator=127.0.0.1:{free_port()}", f"--num_processes={count}")
    ours = [start(*words, f"--process_id={i}", devices=devices) for i in range(count)]
    try:
        yield ours
    finally:
        for process in ours:
            process.kill()
            process.communicate()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ends(ours, timeout=500):
    """(exit status, stdout, stderr) of each."""
    found = [process.communicate(timeout=timeout) for process in ours]
    return [(p.returncode, *texts) for p, texts in zip(ours, found, strict=True)]


def in_one_piece(model, *, blocks):
    """CP-CNN on a whole image without tiles, the reference of tiling.

    Returns density(weights, image): a flat dict and `[H, W, 3]` to `[H, W]`.
    """

    @jax.jit
    def density(weights, image):
        variables = to_variables(weights)
        context = model.apply(variables, image, blocks=blocks, method="context")
        return model.apply(variables, image, context=context)[0][0, ..., 0]

    def run(weights, image):
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / 255
        return np.asarray(density(weights, image[None]))

    return run


def never():
    """The `stop` of a run that nobody stops."""
    return None


def stop_at(call):
    """The `stop` of a run that is asked to end at this call, counted from 1."""
    calls = iter(range(1, call))
    return lambda: signal.SIGTERM if next(calls, None) is None else None
