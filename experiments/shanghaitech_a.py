"""CP-CNN on ShanghaiTech A: all four networks and the adversary.

    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=data/ShanghaiTech \
        --config.gce.pretrained_vgg16=vgg16

Departs from the paper because of its hardware: 6 + 6 crops per image instead of 100 +
200. With an accelerator raise crops and steps, for instance with the flags
--config.crops.num_plain=100 --config.crops.num_augmented=200
--config.density.steps=40000 --config.adversary.steps=4000.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 135.0 (95% interval 117.2 to 154.3), RMSE 186.6.
Hardware: two shared CPU cores, 45 minutes of training and 6 of evaluation.
Validation MAE: 221.2, 261.9, 207.7, 179.3, 169.1 and 174.9 after 1,000 to 6,000 steps,
and 175.8 after the adversary's stage. The training mean has 387.0.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="A"),
        crops=config.Crops(num_plain=6, num_augmented=6),
        # Narrow heads: the paper gives no widths, and most of the weights were theirs.
        model=config.Model(
            class_binning="quantile",
            gce_hidden_dims=(256, 128),
            lce_hidden_dims=(256, 128),
        ),
        gce=config.GCEStage(200, 16, 5e-4, warmup_steps=20),
        lce=config.LCEStage(300, 64, 1e-3, warmup_steps=20),
        density=config.DensityStage(6000, 4, 3e-4, warmup_steps=200),
        adversary=config.Adversary(48, 4, 1e-5),
        validation=config.Validation(eval_every=1000),
        checkpoint_every=250,
    )
