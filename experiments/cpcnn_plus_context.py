"""cpcnn_plus with 20 density classes and an LCE on VGG-16.

    python launch.py --config=experiments/cpcnn_plus_context.py \
        --workdir=runs/plus_context --config.data.root=data/ShanghaiTech

Takes the DME of the pretrained cpcnn_plus. GCE and LCE are initialized with ImageNet's
VGG-16, weights/vgg16.safetensors (`make vgg16`), F-CNN with the LCE's expected density.

Departs from the paper: 20 density classes; the LCE is four blocks of VGG-16, of which
the last is trained; F-CNN's initialization; the loss also compares means over cells of
8 and 64 pixels; the parameters are averaged; no adversary.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 93.4 (95% interval 77.8 to 110.9), RMSE 146.9.
Hardware: two CPU cores, 58 minutes: 12 for the GCE, 35 for the LCE, 6 for the context
scores, 5 for DME and F-CNN.
Validation MAE: 121.5 and 125.8 after 250 and 500 steps of DME and F-CNN, 123.4 of the
LCE alone. The parameters after 250 steps are published. GCE was trained at commit
1e35009, LCE at 9f67612, the rest at 7535f41, each stage with the settings below.
"""

from experiments import cpcnn_plus, shanghaitech_a


def get_config():
    experiment, stages = cpcnn_plus.get_config(), shanghaitech_a.get_config()
    experiment.init_from, experiment.init_modules = "cpcnn_plus", ("dme",)
    experiment.seed = 1  # other crops
    experiment.crops.num_augmented, experiment.crops.num_patches = 12, 300
    experiment.crops.max_scale, experiment.crops.color_jitter = 1.0, 0.0
    experiment.model.num_classes = 20
    experiment.model.lce_vgg_blocks = 4
    experiment.gce, experiment.lce = stages.gce, stages.lce
    experiment.gce.steps, experiment.gce.pretrained_vgg16 = (
        400,
        "weights/vgg16.safetensors",
    )
    experiment.lce.steps, experiment.lce.learning_rate = 2200, 5e-4
    experiment.gce.vgg_lr_multiplier = experiment.lce.vgg_lr_multiplier = 0.1
    experiment.lce.first_trainable_layer = "conv4_1"
    experiment.density.fcnn_init_from_lce = True
    experiment.density.steps, experiment.density.learning_rate = 500, 1e-5
    experiment.validation.eval_every = 250
    return experiment
