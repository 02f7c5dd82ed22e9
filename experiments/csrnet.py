"""CSRNet on ShanghaiTech A, with the Euclidean loss of its paper.

    python launch.py --config=experiments/csrnet.py --workdir=runs/csrnet \
        --config.data.root=data/ShanghaiTech --config.joint.pretrained_vgg16=vgg16

Departs from CSRNet's paper: Adam in place of SGD, and square crops.

Paper's row of CSRNet: MAE 68.2, RMSE 115.0.
Not run. Hardware: one GPU.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="A"),
        target=config.Target(sigma_mode="adaptive"),
        crops=config.Crops(fixed_side=256),
        model=config.Model("cpcnn_jax.models.csrnet:CSRNet"),
        joint=config.JointStage(
            20_000, 8, 1e-5, warmup_steps=300, vgg_lr_multiplier=1.0, cell_losses=()
        ),
        validation=config.Validation(eval_every=2000),
        checkpoint_every=1000,
    )
