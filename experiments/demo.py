"""The complete CP-CNN, narrow, on the generated crowd: all stages within minutes.

    python launch.py --config=experiments/demo.py --workdir=runs/demo

Not a row of the paper's table: the four networks and the adversary keep the paper's
structure and have fewer features, and the photographs are drawn.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.Crowd(
            num_train=256, num_test=32, height=288, width=384, max_heads=600
        ),
        crops=config.Crops(multiple=32, plain=6, changed=6, patches=64),
        model=config.Model(
            columns=(
                ((8, 9), (16, 7), (16, 7), (8, 7)),
                ((10, 7), (20, 5), (20, 5), (10, 5)),
                ((12, 5), (24, 3), (24, 3), (12, 3)),
            ),
            vgg_width=0.125,
            gce_head=(128, 64),
            lce_features=(8, 16, 32),
            lce_head=(128, 64),
        ),
        # ImageNet's weights do not fit the narrow VGG-16, so all of it learns.
        gce=config.GlobalStage(80, 16, 1e-3, trainable_from="conv1_1"),
        lce=config.LocalStage(200, 64, 1e-3),
        density=config.DensityStage(900, 8, 1e-3, warmup=50),
        adversary=config.Adversary(40, 8, 1e-5, discriminator_width=0.25),
        validation=config.Validation(every=450),
    )
