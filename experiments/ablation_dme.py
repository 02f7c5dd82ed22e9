"""Ablation on ShanghaiTech A, row 1: DME and one 1x1 convolution.

    python launch.py --config=experiments/ablation_dme.py \
        --workdir=runs/ablation_dme \
        --config.data.root=data/ShanghaiTech

Paper's row: MAE 104.3, RMSE 154.2 (recalled).
Reached: MAE 203.2 (95% interval 173.2 to 236.5), RMSE 298.2.
Hardware: two shared CPU cores, about 33 minutes of CPU time.
Validation MAE: 347.8, 320.0, 274.3, 272.1, 238.2 and 230.6 after 1,000 to 6,000 steps.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.model.use_gce = False
    experiment.model.use_lce = False
    experiment.model.use_fcnn = False
    experiment.adversary.steps = 0
    return experiment
