"""First row of the paper's ablation on ShanghaiTech A: DME and one 1x1 convolution.

    python launch.py --config=experiments/ablation_dme.py \
        --workdir=runs/ablation_dme \
        --config.data.root=data/ShanghaiTech

Paper's row: MAE 104.3, RMSE 154.2 (recalled, not seen).
Reached: MAE 203.2 (95% interval 173.2 to 236.5), RMSE 298.2, after about 33 minutes
of CPU time (28 for 5,096 of the 6,000 steps) on two cores with other work beside them.
On the validation photographs the MAE was 347.8, 320.0, 274.3, 272.1, 238.2 and 230.6
after 1,000 to 6,000 steps.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.model.use_gce = False
    experiment.model.use_lce = False
    experiment.model.use_fcnn = False
    experiment.adversary.steps = 0
    return experiment
