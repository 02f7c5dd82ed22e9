"""The complete CP-CNN with few features on synthetic crowds: all stages within minutes.

    python launch.py --config=experiments/demo.py --workdir=runs/demo

Not a row of the paper's table: the four networks and the adversary have the paper's
structure with fewer features, and the images are drawn.
"""

from cpcnn_jax import config


def get_config():
    return config.Experiment(
        data=config.SyntheticCrowd(
            num_train=256, num_test=32, height=288, width=384, max_heads=600
        ),
        crops=config.Crops(
            size_multiple=32, num_plain=6, num_augmented=6, num_patches=64
        ),
        model=config.Model(
            dme_columns=(
                ((8, 9), (16, 7), (16, 7), (8, 7)),
                ((10, 7), (20, 5), (20, 5), (10, 5)),
                ((12, 5), (24, 3), (24, 3), (12, 3)),
            ),
            vgg_width_multiplier=0.125,
            gce_hidden_dims=(128, 64),
            lce_features=(8, 16, 32),
            lce_hidden_dims=(128, 64),
        ),
        # ImageNet's weights do not fit the narrow VGG-16, so all of it learns.
        gce=config.GCEStage(80, 16, 1e-3, first_trainable_layer="conv1_1"),
        lce=config.LCEStage(200, 64, 1e-3),
        density=config.DensityStage(900, 8, 1e-3, warmup_steps=50),
        adversary=config.Adversary(40, 8, 1e-5, discriminator_width_multiplier=0.25),
        validation=config.Validation(eval_every=450),
    )
