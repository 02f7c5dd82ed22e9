"""CP-CNN on ShanghaiTech part A, as one would train it today: the same four networks.

    python launch.py --config=experiments/cpcnn_plus.py --workdir=runs/plus \
        --config.data.root=data/ShanghaiTech

Needs weights/vgg16.safetensors (`make vgg16`) and weights/mcnn.safetensors, which
`python -m cpcnn_jax mcnn mcnn_shtechA_660.h5` writes.

Paper's row: MAE 73.6, RMSE 106.4.
Departs from the paper: DME and F-CNN begin as the author's public MCNN
(`cpcnn_jax/grown.py`; github.com/svishwa/crowdcount-mcnn, MIT), whose DME learns ten
times as slowly; GCE and LCE are those of the released shanghaitech_a; means over cells
of 8 and of 64 pixels are compared, too; no adversary.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.start = "shanghaitech_a"
    experiment.mcnn = "weights/mcnn.safetensors"
    experiment.gce.steps = experiment.lce.steps = experiment.adversary.steps = 0
    experiment.crops.plain = experiment.crops.changed = 10
    experiment.density = config.DensityStage(
        600, 4, 1e-5, warmup=50, dme_rate=0.1, cells=(8, 64)
    )
    experiment.validation.every = 150
    return experiment
