"""Ablation on ShanghaiTech A, row 3: DME, GCE, LCE and F-CNN.

    python launch.py --config=experiments/ablation_lce.py \
        --workdir=runs/ablation_lce \
        --config.data.root=data/ShanghaiTech \
        --config.gce.pretrained_vgg16=vgg16

Paper's row: MAE 76.1, RMSE 110.2 (recalled).
Reached: MAE 140.7 (95% interval 121.3 to 161.9), RMSE 197.4.
Hardware: two CPU cores shared with other trainings, 77 minutes, 29 of them for DME and
F-CNN.
Validation MAE: 221.2, 261.9, 207.7, 179.3, 169.1 and 174.9 after 1,000 to 6,000 steps,
equal to shanghaitech_a.py, which differs only by its adversary.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.adversary.steps = 0
    return experiment
