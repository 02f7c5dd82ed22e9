"""CP-CNN with one shared backbone on ShanghaiTech A and B together, for one GPU.

    python launch.py --config=experiments/shared_backbone.py --workdir=runs/shared \
        --config.data.root=data/ShanghaiTech \
        --config.joint.pretrained_vgg16=vgg16

Not a row of the paper's table: DME, GCE and LCE share one VGG-16 that learns, too. A
third of the crops are plain; the others are flipped or noisy, scaled, blurred and
recolored. Without these changes new images are counted too low (docs/results.md).

Not run. The released weights are of a prototype with the same network and similar
settings; their model card describes their training.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="AB"),
        crops=config.Crops(
            fixed_side=384,
            max_scale=1.6,
            color_jitter=0.2,
            gamma_jitter=0.6,
            max_blur=1.5,
        ),
        model=config.Model("shared_backbone"),
        joint=config.JointStage(14_000, 12, 3e-4, warmup_steps=300),
        validation=config.Validation(eval_every=2000),
        compute_dtype="bfloat16",
        checkpoint_every=1000,
    )
