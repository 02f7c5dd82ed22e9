"""CP-CNN on ShanghaiTech part A: all four networks and the adversary.

    python launch.py --config=experiments/shanghaitech_a.py --workdir=runs/a \
        --config.data.root=data/ShanghaiTech \
        --config.gce.vgg16=weights/vgg16.safetensors

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 168.2, RMSE 248.7, in 43 minutes of training on two busy CPU cores and 10
of evaluation. With an accelerator raise the steps, for instance
--config.density.steps=40000 --config.adversary.steps=4000.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.ShanghaiTech(part="A"),
        crops=config.Crops(plain=4, changed=4),
        model=config.Model(classes="share"),
        gce=config.GlobalStage(80, 16, 2e-4, warmup=10),
        lce=config.Stage(120, 64, 3e-4),
        density=config.Stage(4000, 4, 3e-4, warmup=200),
        adversary=config.Adversary(48, 4, 1e-5),
        validation=config.Validation(every=1000),
        save_every=250,
    )
