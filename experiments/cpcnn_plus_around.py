"""cpcnn_plus_context, its LCE trained on so that it sees what is around each window.

    python launch.py --config=experiments/cpcnn_plus_around.py \
        --workdir=runs/plus_around --config.data.root=data/ShanghaiTech

Goes on from the released cpcnn_plus_context, whose GCE and DME it keeps. Needs
weights/vgg16.safetensors (`make vgg16`).

Departs from the paper as cpcnn_plus_context does, and in that LCE looks at 256x256
pixels: each of the 16 windows in them has its own class, of 80, and is seen with what
is around it. Two of three patches are flipped or noised, in other colours, and cut from
smaller or larger copies.

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 78.6 (95% interval 66.8 to 91.5), RMSE 115.3, after 78 minutes on two CPU
cores with tests beside: 70 for LCE, 4 for the context, 4 for DME and F-CNN. On the
validation photographs the MAE was 126.3, from 121.5, and LCE's error per window 1.58
people, from 1.71. Trained at commit 479c7ca.
"""

from experiments import cpcnn_plus_context


def get_config():
    experiment = cpcnn_plus_context.get_config()
    experiment.init_from = "cpcnn_plus_context"
    experiment.init_modules = ("gce", "lce", "dme", "fcnn")  # all, for finer classes
    experiment.crops.max_scale, experiment.crops.color_jitter = 1.3, 0.2
    experiment.crops.num_patches, experiment.crops.num_augmented_patches = 100, 200
    experiment.gce.steps = 0
    experiment.model.num_classes = 80
    experiment.model.lce_input_size = experiment.model.lce_stride = 256
    experiment.lce.batch_size = 4  # of 16 windows each
    experiment.lce.steps = 5600
    experiment.density.steps = experiment.validation.eval_every = 250
    return experiment
