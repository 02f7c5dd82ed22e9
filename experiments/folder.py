"""CP-CNN on your own images with head points.

    python launch.py --config=experiments/folder.py --workdir=runs/mine \
        --config.data.root=data/photographs \
        --config.gce.pretrained_vgg16=vgg16

The folder holds train and test; docs/data.md describes its annotations. Not a row of
the paper's table: networks and stages are those of shanghaitech_a.py.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.data = config.Folder()
    return experiment
