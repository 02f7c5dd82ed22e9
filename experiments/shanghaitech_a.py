"""CP-CNN on ShanghaiTech part A: all four networks and the adversary.

    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=data/ShanghaiTech \
        --config.gce.vgg16=weights/vgg16.safetensors

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 141.9 (95% interval 121.4 to 165.6), RMSE 207.1, in 83 minutes from the
training to the report on four fifths of two CPU cores. On the validation photographs,
where the training mean is off by 387.0, the MAE was 216.8, 209.5, 195.1 and 188.7 after
1,000 to 4,000 steps, and 183.4 after the adversary's.

Departs from the paper for that time: 4 + 4 crops a photograph instead of 100 + 200.
With an accelerator raise crops and steps, for instance --config.crops.plain=100
--config.crops.changed=200 --config.density.steps=40000 --config.adversary.steps=4000.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="A"),
        crops=config.Crops(plain=8, changed=8),
        # Narrow heads: the paper gives no widths, and most of the weights were theirs.
        model=config.Model(classes="share", gce_head=(64, 64), lce_head=(64, 64)),
        gce=config.GlobalStage(80, 16, 2e-4, warmup=10),
        lce=config.Stage(120, 64, 3e-4),
        density=config.Stage(7000, 4, 3e-4, warmup=200),
        adversary=config.Adversary(48, 4, 1e-5),
        validation=config.Validation(every=1000),
        save_every=250,
    )
