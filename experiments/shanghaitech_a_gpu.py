"""CP-CNN on ShanghaiTech A with the paper's crops, for one GPU.

    python launch.py --config=experiments/shanghaitech_a_gpu.py --workdir=runs/a_gpu \
        --config.data.root=data/ShanghaiTech \
        --config.gce.pretrained_vgg16=vgg16

All four networks and the adversary, in bfloat16, on the paper's 300 crops per image,
each used 12 times.

Paper's row: MAE 73.6, RMSE 106.4.
Not run. Computed on the canvas of 256x256 pixels: 31 PFLOP in all, 22 of them in the
density stage, which take 26 minutes at 20 TFLOP/s.
"""

from cpcnn_jax import config
from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.crops = config.Crops()  # 100 plain and 200 augmented, as in the paper
    experiment.gce = config.GCEStage(3000, 32, 5e-4, warmup_steps=100)
    experiment.lce = config.LCEStage(6000, 128, 1e-3, warmup_steps=100)
    experiment.density = config.DensityStage(30_000, 32, 3e-4, warmup_steps=500)
    experiment.adversary = config.Adversary(500, 32, 1e-5)
    experiment.validation.eval_every = 2000
    experiment.compute_dtype = "bfloat16"
    return experiment
