"""Ablation on ShanghaiTech A, row 2: DME, GCE and F-CNN.

    python launch.py --config=experiments/ablation_gce.py \
        --workdir=runs/ablation_gce \
        --config.data.root=data/ShanghaiTech \
        --config.gce.pretrained_vgg16=vgg16

Paper's row: MAE 89.9, RMSE 127.9 (recalled).
Reached: MAE 132.4 (95% interval 115.8 to 150.0), RMSE 177.5.
Hardware: two shared CPU cores, 64 minutes: 6 for the GCE, 11 for the context scores, 36
for DME and F-CNN, 10 for the evaluation.
Validation MAE: 273.7, 235.6, 228.2, 179.0, 183.2 and 163.2 after 1,000 to 6,000 steps.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.model.use_lce = False
    experiment.adversary.steps = 0
    return experiment
