"""Second row of the paper's ablation on ShanghaiTech A: DME, GCE and F-CNN.

    python launch.py --config=experiments/ablation_gce.py \
        --workdir=runs/ablation_gce \
        --config.data.root=data/ShanghaiTech \
        --config.gce.vgg16=weights/vgg16.safetensors

Paper's row: MAE 89.9, RMSE 127.9 (recalled, not seen).
Hardware: as shanghaitech_a.py. Not run yet.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.model.local_context = False
    experiment.adversary.steps = 0
    return experiment
