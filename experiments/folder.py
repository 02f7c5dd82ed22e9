"""Fine-tuning of the default weights on your own images with head points.

    python launch.py --config=experiments/folder.py --workdir=runs/mine \
        --config.data.root=data/photographs

The folder holds train and test; docs/data.md describes its annotations. The networks
are those of the weights that --config.init_from names. VGG-16 stays as it is, so that
a CPU suffices: about a second a step on two cores. Not a row of the paper's table.
"""

from cpcnn_jax import config
from experiments import shared_backbone


def get_config():
    experiment = shared_backbone.get_config()
    experiment.data = config.Folder()
    experiment.init_from = "shared_backbone"
    experiment.joint = config.JointStage(
        300, 2, 1e-4, warmup_steps=20, vgg_lr_multiplier=0.0, ema_decay=0.98
    )
    experiment.validation = config.Validation(eval_every=100)
    experiment.compute_dtype = "float32"
    experiment.checkpoint_every = 100
    return experiment
