"""Some hundred steps of each stage of CP-CNN, for gpu_session.py.

    python launch.py --config=benchmarks/throughput_experiment.py --workdir=runs/rates
    python launch.py --config=benchmarks/throughput_experiment.py:shanghaitech_a \
        --workdir=runs/rates --config.data.root=data/ShanghaiTech

The networks, batches and dtype are those of experiments/shanghaitech_a_gpu.py. VGG-16
has random weights. Crops of the synthetic crowd have 256x192 pixels. The crops of
ShanghaiTech A have several sizes and lie on a canvas.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a_gpu


def get_config(data: str = "synthetic") -> config.Experiment:
    """Builds the experiment.

    Args:
      data: "synthetic" or "shanghaitech_a".
    """
    experiment = shanghaitech_a_gpu.get_config()
    if data == "synthetic":
        experiment.data = config.SyntheticCrowd(
            num_train=48, num_test=1, height=768, width=1024, max_heads=2000
        )
    for stage, steps in experiment.stages().items():
        steps.warmup_steps = 10
        steps.steps = {"gce": 300, "lce": 300, "density": 500, "adversary": 100}[stage]
    experiment.validation.percent = 5
    experiment.validation.eval_every = experiment.checkpoint_every = 10_000
    experiment.log_every, experiment.num_eval_images = 50, 0
    return experiment
