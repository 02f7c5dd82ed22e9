"""The complete CP-CNN, narrow, on the generated crowd: all stages within minutes.

    python launch.py --config=experiments/demo.py --workdir=runs/demo

Not a row of the paper's table. The networks keep the paper's structure with fewer
features.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.Crowd(),
        crops=config.Crops(plain=8, changed=16, patches=32),
        model=config.Model(
            columns=(
                ((8, 9), (16, 7), (16, 7), (8, 7)),
                ((10, 7), (20, 5), (20, 5), (10, 5)),
                ((12, 5), (24, 3), (24, 3), (12, 3)),
            ),
            vgg_width=0.125,
            lce_features=(8, 16, 32),
            lce_head=(128, 64),
            gce_head=(128, 64),
        ),
        # No ImageNet weights fit the narrow VGG-16, so all of it learns.
        gce=config.GlobalStage(150, 16, 1e-3, trainable_from="conv1_1"),
        lce=config.Stage(200, 64, 1e-3),
        density=config.Stage(400, 16, 1e-3),
        adversary=config.Adversary(60, 16, 1e-4),
    )
