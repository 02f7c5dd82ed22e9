"""Fourth row of the paper's ablation on ShanghaiTech A: with the adversary, all of it.

    python launch.py --config=experiments/ablation_adversary.py \
        --workdir=runs/ablation_adversary \
        --config.data.root=data/ShanghaiTech \
        --config.gce.vgg16=weights/vgg16.safetensors

Paper's row: MAE 73.6, RMSE 106.4.
Hardware: as shanghaitech_a.py, whose run this is. Not run yet.
"""

from experiments import shanghaitech_a


def get_config():
    return shanghaitech_a.get_config()
