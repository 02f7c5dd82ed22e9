"""MCNN on ShanghaiTech A, with the Euclidean loss of its paper.

    python launch.py --config=experiments/mcnn.py --workdir=runs/mcnn \
        --config.data.root=data/ShanghaiTech

Departs from MCNN's paper: Adam in place of SGD, one training of all columns in place of
one for each, and random crops in place of nine fixed ones.

Paper's row of MCNN: MAE 110.2, RMSE 173.2.
Not run. Hardware: one GPU.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="A"),
        target=config.Target(sigma_mode="adaptive"),
        crops=config.Crops(fixed_side=256, color_jitter=0.2),
        model=config.Model("cpcnn_jax.models.mcnn:MCNN"),
        joint=config.JointStage(40_000, 16, 1e-4, warmup_steps=300, cell_losses=()),
        validation=config.Validation(eval_every=2000),
        checkpoint_every=1000,
    )
