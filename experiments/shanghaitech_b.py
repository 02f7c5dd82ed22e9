"""CP-CNN on ShanghaiTech B: all four networks and the adversary.

    python launch.py --config=experiments/shanghaitech_b.py --workdir=runs/b \
        --config.data.root=data/ShanghaiTech \
        --config.gce.pretrained_vgg16=vgg16

Paper's row: MAE 20.1, RMSE 30.1.
Not run. Hardware: as for shanghaitech_a.py.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.data = config.ShanghaiTech(part="B")
    return experiment
