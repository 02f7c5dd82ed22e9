"""CP-CNN on ShanghaiTech part A, from another network's weights on: MCNN's.

    python launch.py --config=experiments/cpcnn_plus_mcnn.py --workdir=runs/plus_mcnn \
        --config.data.root=data/ShanghaiTech

Needs weights/vgg16.safetensors (`make vgg16`) and weights/mcnn.safetensors, which
`python -m cpcnn_jax mcnn mcnn_shtechA_660.h5` writes.

Departs from the paper: DME and F-CNN begin as the author's public MCNN
(`cpcnn_jax/training/init/from_mcnn.py`; github.com/svishwa/crowdcount-mcnn, MIT), and
DME learns ten
times as slowly as F-CNN; GCE and LCE are those of the released shanghaitech_a; means
over cells of 8 and of 64 pixels are compared, too; no adversary.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 125.9 (95% interval 106.1 to 147.3), RMSE 190.7, after 5 minutes for the
context, 6 of training and 9 of evaluation on two CPU cores, the last two beside tests:
no better than MCNN's own 109.8. On the validation photographs the
MAE was 124.8 at the start and 105.3, 127.6, 113.1 and 114.6 after 150 to 600 steps.

Searched on these, 600 steps each: all at 1e-4 163.5; all at 1e-5 131.9; F-CNN at 1e-4
and DME at 1e-5 143.0; that with cells 129.7. The last with 9,000 steps 136.9 at best,
152.9 at the end, and 63.5 on the photographs that it had learned from.
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
