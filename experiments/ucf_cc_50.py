"""CP-CNN on UCF_CC_50: all four networks and the adversary, one run per fold.

    python launch.py --config=experiments/ucf_cc_50.py --workdir=runs/ucf \
        --sweep=data.fold=1,2,3,4,5 --config.data.root=data/UCF_CC_50 \
        --config.gce.pretrained_vgg16=vgg16

The result is the mean of the folds' MAE and RMSE, in the table that ends the sweep.

Paper's row: MAE 295.8, RMSE 320.9.
Not run. Hardware: as for shanghaitech_a.py.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.data = config.UcfCc50()
    crops = experiment.crops
    crops.num_plain = crops.num_augmented = 40  # of only 40 images
    return experiment
