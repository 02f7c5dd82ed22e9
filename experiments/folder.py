"""CP-CNN on your own photographs, with head points beside them.

    python launch.py --config=experiments/folder.py --workdir=runs/mine \
        --config.data.root=data/photographs \
        --config.gce.pretrained_vgg16=weights/vgg16.safetensors

The folder holds train and test; cpcnn_jax/data/datasets/folder.py says which
annotations it may
hold. Not a row of the paper's table: the networks and the stages are those of
shanghaitech_a.py, and so is what to raise on an accelerator.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.data = config.Folder()
    return experiment
