"""The configuration tree of an experiment: typed dataclasses with a rule per field.

experiments/NAME.py builds one `Experiment`, and `launch.py --config.stage.field=value`
overrides single fields. The classes are not frozen because absl assigns overrides to
them; nothing assigns after launch.py has started.

[R] marks a fact of the paper as recalled. [I] marks our own choice where the paper, as
far as we could read it, gives no value.
"""

from dataclasses import dataclass, field

from cpcnn_jax.config.constants import PATCH, VGG16_LAYERS
from cpcnn_jax.config.datasets import DataSet, SyntheticCrowd
from cpcnn_jax.config.rules import (
    above,
    ascending,
    at_least,
    every,
    fraction,
    import_path_or,
    multiple_of,
    one_of,
    pairs,
    setting,
    whole,
    within,
)
from cpcnn_jax.config.target import Target

DTYPES = ("float32", "bfloat16")
ARCHITECTURES = ("cpcnn", "shared_backbone")
CLASS_BINNINGS = ("equal_width", "quantile")
COUNT_REFERENCES = ("points", "maps")
# Fields of `Experiment` with the stages of each architecture, in order. A network of
# one's own has those of "shared_backbone".
STAGES = {
    "cpcnn": ("gce", "lce", "density", "adversary"),
    "shared_backbone": ("joint",),
}


@dataclass
class Crops:
    """The paper's training sets: crops (D_dme) and patches (D_lc) [R]."""

    side_divisor: int = setting(4, whole(1))  # crop side = image side / side_divisor
    # Departs from the paper if above 0: side of square crops, pixels. Smaller images
    # are enlarged.
    fixed_side: int = setting(0, multiple_of(64, low=0))
    # Departs from the paper: crop sides are rounded to a multiple of this many pixels,
    # at least 64, so that crops of one size share a batch and a compilation. 1: exact.
    size_multiple: int = setting(64, whole(1))
    num_plain: int = setting(100, whole(0))  # random crops per image
    num_augmented: int = setting(200, whole(0))  # flipped or noisy crops per image
    # Half-width of the uniform noise, in units of the range [0, 1].
    noise_amplitude: float = setting(10 / 255, at_least(0))
    # Departs from the paper if above 1: augmented crops come from copies of the image,
    # smaller or larger by up to this factor.
    max_scale: float = setting(1.0, at_least(1))
    # Departs from the paper if above 0: each color of an augmented crop is multiplied
    # by 1 plus or minus up to this, and up to half as much white is added or removed.
    color_jitter: float = setting(0.0, fraction())
    # Departs from the paper if above 0: each color of an augmented crop is raised to a
    # power of up to 1 plus this, or its reciprocal.
    gamma_jitter: float = setting(0.0, at_least(0))
    # Departs from the paper if above 0: half of the augmented crops are blurred by a
    # Gaussian with a standard deviation of up to this many pixels.
    max_blur: float = setting(0.0, at_least(0))
    num_patches: int = setting(100, whole(1))  # 64x64 patches per image, for the LCE


@dataclass
class Model:
    """Choice of the networks, and the sizes that the paper does not give."""

    # "cpcnn": the paper's four networks. "shared_backbone": one VGG-16 for DME, GCE and
    # LCE, a departure from the paper (`models.shared_backbone`). Of the fields below it
    # takes use_gce, use_lce, vgg_width_multiplier, upsample_kernel_size, density_scale
    # and the two fields of thresholds. PACKAGE.MODULE:NAME: a network of your own, or
    # cpcnn_jax.models.mcnn:MCNN or cpcnn_jax.models.csrnet:CSRNet
    # (`models.custom_network`), which takes only density_scale.
    architecture: str = setting("cpcnn", import_path_or(*ARCHITECTURES))
    use_gce: bool = True
    use_lce: bool = True
    use_fcnn: bool = True  # False: one 1x1 convolution on the DME [R: table row 1]
    num_classes: int = setting(5, whole(2))  # density classes: ex-lo to ex-hi [R]
    # [I] boundaries of the density classes. "equal_width": classes of equal width (the
    # author's rule in CMTL). "quantile": classes of equally many training crops.
    class_binning: str = setting("equal_width", one_of(*CLASS_BINNINGS))
    # [I] (features, kernel size) of each convolution of the DME's columns: MCNN's with
    # one more. A pooling follows the first convolution and the second.
    dme_columns: tuple = setting(
        (
            ((16, 9), (32, 7), (32, 7), (16, 7), (8, 7)),
            ((20, 7), (40, 5), (40, 5), (20, 5), (10, 5)),
            ((24, 5), (48, 3), (48, 3), (24, 3), (12, 3)),
        ),
        every(pairs(("features", whole(1)), ("kernel size", whole(1)))),
    )
    # Factor on VGG-16's features; ImageNet's weights need 1.
    vgg_width_multiplier: float = setting(1.0, above(0))
    # [I] from the author's CMTL head
    gce_hidden_dims: tuple = setting((512, 256), every(whole(1)))
    # [I] of the three convolution blocks
    lce_features: tuple = setting((64, 128, 256), every(whole(1)))
    lce_hidden_dims: tuple = setting((512, 256), every(whole(1)))  # [I]
    lce_stride: int = setting(64, whole(1, PATCH))  # pixels between LCE patches [I]
    # Kernel size of T [I]: the author's own T layer. The padding follows from it.
    upsample_kernel_size: int = setting(4, multiple_of(2))
    # F-CNN predicts the density times this: 1/100 person per pixel becomes about 1.
    density_scale: float = setting(100.0, above(0))
    # People that divide the density classes of "shared_backbone": of GCE's blocks of
    # 192x192 pixels and of LCE's windows of 64x64 pixels.
    gce_thresholds: tuple = setting(
        (0.5, 4.5, 10.5, 25.5, 60.5, 120.5, 250.5), ascending()
    )
    lce_thresholds: tuple = setting(
        (0.5, 1.5, 2.5, 4.5, 7.5, 12.5, 20.5, 35.5, 60.5), ascending()
    )


@dataclass
class Stage:
    """A training stage: a number of steps of Adam."""

    steps: int = setting(1000, whole(0))  # 0 leaves the stage out
    batch_size: int = setting(8, whole(1))
    learning_rate: float = setting(1e-4, above(0))  # maximum; decays along a cosine
    warmup_steps: int = setting(0, whole(0))  # linear rise of the learning rate
    # Gradient accumulation: parts of each device's share of a batch, computed one
    # after the other. The result of the step is the same.
    accum_steps: int = setting(1, whole(1))


@dataclass
class GCEStage(Stage):
    """The GCE's training."""

    # ImageNet's weights: "vgg16", which `import-weights vgg16` writes to the user's
    # cache, or a file. "": random weights.
    pretrained_vgg16: str = ""
    # VGG-16's first convolution that is trained [R: only the last two are].
    first_trainable_layer: str = setting("conv5_2", one_of(*VGG16_LAYERS))


@dataclass
class LCEStage(Stage):
    """The LCE's training."""


@dataclass
class DensityStage(Stage):
    """The training of DME and F-CNN with the Euclidean loss L_E."""

    # Decay of the parameters' exponential moving average, which is validated and kept.
    # 0: no average.
    ema_decay: float = setting(0.0, fraction())
    # Replaces L_E: PACKAGE.MODULE:NAME of a function (density, target) -> `[B]`, both
    # `[B, H, W, 1]` people per pixel, 0 outside of each crop. "": L_E.
    loss: str = setting("", import_path_or(""))


@dataclass
class Adversary(Stage):
    """The training of DME and F-CNN against the discriminator."""

    steps: int = setting(500, whole(0))
    learning_rate: float = setting(1e-5, above(0))
    # [I] from ID-CGAN of the same laboratory, as is beta1 of Adam.
    discriminator_learning_rate: float = setting(2e-4, above(0))
    discriminator_beta1: float = setting(0.5, fraction())
    discriminator_width_multiplier: float = setting(1.0, above(0))
    # lambda_a, the weight of the adversarial loss for maps times `density_scale` [I].
    weight: float = setting(6.7e-3, at_least(0))


@dataclass
class JointStage(Stage):
    """The training of all parts of `shared_backbone`, or of a network of your own."""

    # File of ImageNet weights, written by `import-weights vgg16`; "": random weights.
    # A network of your own takes them into its layers conv1_1, conv1_2 ...
    pretrained_vgg16: str = ""
    vgg_lr_multiplier: float = setting(0.2, at_least(0))  # 0: VGG-16 is frozen
    weight_decay: float = setting(1e-4, at_least(0))
    max_gradient_norm: float = setting(1.0, above(0))
    ema_decay: float = setting(0.999, fraction())  # as `DensityStage.ema_decay`
    # Sides of square cells, pixels, and the weights of their count losses.
    cell_losses: tuple = setting(
        ((16, 0.1), (64, 0.2), (192, 0.02)),
        pairs(("a side in pixels", whole(1)), ("a weight", at_least(0))),
    )
    # Variance of a cell's count c in these losses: c + overdispersion * c^2.
    overdispersion: float = setting(0.02, at_least(0))
    # Weight of the cross-entropies of the density classes of blocks and windows.
    class_loss_weight: float = setting(0.02, at_least(0))
    # Replaces the losses of pixels and cells, as `DensityStage.loss`. "": these.
    loss: str = setting("", import_path_or(""))


@dataclass
class Validation:
    """Training images that are held out to choose the best checkpoint."""

    # Percentage of the training images, chosen by the hashes of their names. 0: none;
    # the last checkpoint counts as the best.
    percent: int = setting(10, whole(0, 99))
    # Text file with the names of the images, one a line. "": by `percent`.
    names_file: str = ""
    eval_every: int = setting(500, whole(1))  # steps; also after the last step

    def holds_out(self) -> bool:
        """Whether images are held out."""
        return bool(self.percent or self.names_file)


@dataclass
class Experiment:
    """All settings that decide a run's result; saved as config.json in the workdir."""

    data: DataSet = field(default_factory=SyntheticCrowd)
    target: Target = field(default_factory=Target)
    crops: Crops = field(default_factory=Crops)
    model: Model = field(default_factory=Model)
    gce: GCEStage = field(default_factory=GCEStage)
    lce: LCEStage = field(default_factory=LCEStage)
    density: DensityStage = field(default_factory=DensityStage)
    adversary: Adversary = field(default_factory=Adversary)
    joint: JointStage = field(default_factory=JointStage)
    validation: Validation = field(default_factory=Validation)
    # Fine-tuning: a weights file, the workdir of a run or a pretrained name. "": random
    # initialization.
    init_from: str = ""
    # Seed of initialization, crops, order, noise and dropout.
    seed: int = setting(0, whole(0, 2**32 - 1))
    # Mixed precision: dtype of the networks in training. Parameters, losses,
    # accumulated gradients, optimizers and all evaluation stay in float32.
    compute_dtype: str = setting("float32", one_of(*DTYPES))
    # Examples per microbatch. Gradients of microbatches are added in one order, so that
    # the result is equal to the last bit on any number of devices (docs/scaling.md).
    # Replaces `accum_steps`. 0: one microbatch for each device.
    deterministic_microbatch: int = setting(0, whole(0))
    # Memory of each device for training images, GiB. Images that exceed it are loaded
    # in rounds, one group after the other.
    image_memory_gib: float = setting(4.0, within(0, 6))
    log_every: int = setting(10, whole(1))  # steps between lines of metrics.jsonl
    checkpoint_every: int = setting(200, whole(1))  # steps between checkpoints
    num_eval_images: int = setting(12, whole(0))  # comparisons that evaluation draws
    # Reference of the true counts: annotated heads, or sums of the target maps.
    count_reference: str = setting("points", one_of(*COUNT_REFERENCES))

    def stages(self) -> dict[str, Stage]:
        """The stages of the architecture by name, in their order."""
        names = STAGES.get(self.model.architecture, STAGES["shared_backbone"])
        return {name: getattr(self, name) for name in names}
