"""Experiment shanghaitech_a_gpu on synthetic crowds, for gpu_session.py.

    python launch.py --config=benchmarks/synthetic_experiment.py --workdir=runs/rates

All images have 1024x768 pixels, so that all crops have 256x192.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a_gpu


def get_config() -> config.Experiment:
    """Builds the experiment."""
    experiment = shanghaitech_a_gpu.get_config()
    experiment.data = config.SyntheticCrowd(
        num_train=48, num_test=1, height=768, width=1024, max_heads=2000
    )
    return experiment
