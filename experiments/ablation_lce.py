"""Third row of the paper's ablation on ShanghaiTech A: DME, both contexts, F-CNN.

    python launch.py --config=experiments/ablation_lce.py \
        --workdir=runs/ablation_lce \
        --config.data.root=data/ShanghaiTech \
        --config.gce.vgg16=weights/vgg16.safetensors

Paper's row: MAE 76.1, RMSE 110.2 (recalled, not seen).
Hardware: as shanghaitech_a.py. Not run yet.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.adversary.steps = 0
    return experiment
