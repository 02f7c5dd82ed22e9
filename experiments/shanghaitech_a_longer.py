"""CP-CNN on ShanghaiTech A, trained longer: DME and F-CNN of the pretrained weights.

    python launch.py --config=experiments/shanghaitech_a_longer.py \
        --workdir=runs/a_longer \
        --config.data.root=data/ShanghaiTech

Fine-tunes the pretrained shanghaitech_a and keeps its GCE and LCE: twice as many steps,
on 20 instead of 12 crops per image. Needs weights/vgg16.safetensors (`make vgg16`).

Paper's row: MAE 73.6, RMSE 106.4.
Reached: MAE 122.5 (95% interval 104.4 to 141.8), RMSE 177.1.
Hardware: little more than one of two CPU cores, 18 minutes for the context scores, 84
of training and 9 of evaluation.
Validation MAE: 242.4, 211.6, 209.3, 195.2, 215.3, 186.4, 186.5, 165.5, 165.0, 152.3,
156.3 and 158.8 after 1,000 to 12,000 steps, and 150.6 after the adversary's stage.
"""

from experiments import shanghaitech_a


def get_config():
    experiment = shanghaitech_a.get_config()
    experiment.init_from = "shanghaitech_a"
    experiment.gce.steps = experiment.lce.steps = 0
    experiment.crops.num_plain = experiment.crops.num_augmented = 10
    experiment.density.steps = 12000
    return experiment
