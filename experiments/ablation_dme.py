"""First row of the paper's ablation on ShanghaiTech A: DME and one 1x1 convolution.

    python launch.py --config=experiments/ablation_dme.py \
        --workdir=runs/ablation_dme \
        --config.data.root=data/ShanghaiTech

Paper's row: MAE 104.3, RMSE 154.2 (recalled, not seen).
Hardware: as shanghaitech_a.py. Not run yet.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.model.global_context = False
    experiment.model.local_context = False
    experiment.model.fusion = False
    experiment.adversary.steps = 0
    return experiment
