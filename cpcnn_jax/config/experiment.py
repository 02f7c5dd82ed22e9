"""The configuration tree: plain typed dataclasses, every field with its meaning.

experiments/NAME.py builds one `Experiment`; `launch.py --config.stage.field=value`
overrides single fields. The classes are not frozen because absl's overrides assign
to them; nothing assigns after launch.py has started. A new field's default is what was
done before there was the field: workdirs outlive versions.

[R] marks a fact of the paper as recalled and [I] our own choice where the paper (as
far as we could read it) says nothing; both are here so that one place changes them.
"""

from dataclasses import dataclass, field

from cpcnn_jax.config.datasets import (
    Crowd,
    DataSet,
)

DTYPES = ("float32", "bfloat16")
KERNELS = ("fixed", "adaptive", "perspective")


@dataclass
class Target:
    """From head points to the density map that the networks learn."""

    # What decides the width of a head's Gaussian. "fixed": nothing. "adaptive": the
    # distance to its neighbours (MCNN: beta 0.3, k 3). "perspective": how large a metre
    # is there, for photographs with a perspective map.
    kernel: str = "fixed"
    sigma: float = 4.0  # pixels, if fixed; the author's code: 15x15 window, sigma 4
    # Metres, if by perspective [R]: the head's Gaussian of Zhang et al., CVPR 2015, has
    # sigma 0.2 times the pixels per metre. Their ellipse for the body is left out, as
    # MCNN does [R]: a head's mass stays around the head.
    metres: float = 0.2

    def sigma_of(self, photograph):
        """The sigma that `density_map.density_map` takes for a record of a source."""
        match self.kernel:
            case "fixed":
                return self.sigma
            case "adaptive":
                return "adaptive"
            case "perspective":
                return self.metres * _perspective(photograph)
        raise ValueError(f"no kernel {self.kernel!r}: use one of {', '.join(KERNELS)}")


def _perspective(photograph):
    perspective = photograph.get("perspective")
    if perspective is None or not perspective.size:
        raise ValueError(
            f"{photograph['name']} has no perspective map, which "
            "--config.target.kernel=perspective needs: use fixed or adaptive"
        )
    return perspective


@dataclass
class Crops:
    """The training sets D_dme (crops) and D_lc (patches) of the paper [R]."""

    fraction: int = 4  # a crop's side is 1/fraction of the photograph's
    # Departs from the paper: sides are rounded to a multiple of this many pixels (at
    # least 64), so that crops of one size can be batched and compiled once. 1: exact.
    multiple: int = 64
    plain: int = 100  # random crops per photograph
    changed: int = 200  # further crops, flipped or noised, per photograph
    noise: float = 10 / 255  # half-width of the uniform noise; 10 of 255 grey levels
    # Departs from the paper if above 1: the further crops are cut from copies of the
    # photograph that are smaller or larger by up to this factor.
    zoom: float = 1.0
    # Departs from the paper if above 0: each colour of the further crops is multiplied
    # by 1 plus or minus up to this, and half as much of white added or taken away.
    colour: float = 0.0
    # Patches per photograph, for the LCE: of 64x64 pixels, or of Model.lce_side.
    patches: int = 100
    # Departs from the paper if above 0: further patches, changed as the crops are.
    changed_patches: int = 0


@dataclass
class Model:
    """Which of the four networks are used, and their unspecified sizes."""

    global_context: bool = True  # GCE
    local_context: bool = True  # LCE
    fusion: bool = True  # F-CNN; False: one 1x1 convolution on the DME [R: table row 1]
    num_classes: int = 5  # density classes: ex-lo, lo, med, hi, ex-hi [R]
    # [I] where one class of counts ends and the next begins: "width", all as wide (the
    # author's rule in CMTL), "share", all with as many of the training crops.
    classes: str = "width"
    # [I] columns like MCNN's with one convolution more: (features, kernel) per layer;
    # the two poolings follow the first and the second.
    columns: tuple = (
        ((16, 9), (32, 7), (32, 7), (16, 7), (8, 7)),
        ((20, 7), (40, 5), (40, 5), (20, 5), (10, 5)),
        ((24, 5), (48, 3), (48, 3), (24, 3), (12, 3)),
    )
    vgg_width: float = 1.0  # multiplies VGG-16's features; 1 fits ImageNet weights
    gce_head: tuple = (512, 256)  # [I] from the author's CMTL head
    lce_features: tuple = (64, 128, 256)  # [I] of the three convolution blocks
    # How many of VGG-16's blocks are the LCE's in place of these; 0: none.
    lce_vgg_blocks: int = 0
    lce_head: tuple = (512, 256)  # [I]
    # Pixels: the side of what the LCE looks at. Departs from the paper if above 64:
    # each 64x64 window in it has its own class, and is seen with what is around it.
    lce_side: int = 64
    local_stride: int = 64  # pixels between LCE's looks [I]; overlaps are averaged
    transposed_kernel: int = 4  # k of T [I]: the author's own T layer; p follows
    # Maps are learned times this: 1/100 of a person per pixel is then about 1.
    density_scale: float = 100.0


@dataclass
class Stage:
    """One stage of training: so many steps of Adam."""

    steps: int = 1000
    batch_size: int = 8
    learning_rate: float = 1e-4  # at the highest; falls to zero along a cosine
    warmup: int = 0  # first steps, in which the learning rate rises from zero
    # In how many parts, one after the other, each device computes its share of a batch:
    # the same step in less memory.
    accumulate: int = 1


@dataclass
class ContextStage(Stage):
    """The training of a network that may have VGG-16's convolutions."""

    vgg_rate: float = 1.0  # their learning rate is this times the stage's


@dataclass
class GlobalStage(ContextStage):
    """The GCE's training: what it starts from and how much of it learns."""

    # ImageNet weights, which `import-weights vgg16` writes; "": random.
    vgg16: str = ""
    # The first of VGG-16's convolutions that learns [R: only the last two do].
    trainable_from: str = "conv5_2"


@dataclass
class LocalStage(ContextStage):
    """The LCE's training."""

    # The first convolution that learns where the LCE has VGG-16's; all others do.
    trainable_from: str = "conv1_1"


@dataclass
class DensityStage(Stage):
    """The training of DME and F-CNN with L_E, and what may be added to it."""

    # F-CNN begins as the density that LCE expects; False: as it was drawn, or as
    # `Experiment.start` says.
    expected: bool = False
    dme_rate: float = 1.0  # DME's learning rate is this times the stage's
    # Sides in pixels of the cells over which the maps' means are compared, too
    # (`losses.coarse_loss`); each divides crops.multiple.
    cells: tuple = ()
    # What is validated and kept is a running mean of the weights, of which each step's
    # share is 1 - average; 0: the weights themselves.
    average: float = 0.0


@dataclass
class Adversary:
    """The last stage: DME + F-CNN against the discriminator."""

    steps: int = 500
    batch_size: int = 8
    learning_rate: float = 1e-5
    warmup: int = 0
    accumulate: int = 1  # as in `Stage`
    discriminator_learning_rate: float = 2e-4  # ID-CGAN of the same laboratory [I]
    discriminator_beta1: float = 0.5  # Adam's, likewise [I]
    discriminator_width: float = 1.0  # multiplies its features
    weight: float = 6.7e-3  # lambda_a, for maps times density_scale [I]


@dataclass
class Validation:
    """Training photographs kept apart, on which the best checkpoint is chosen."""

    # Per cent of the training photographs, fixed by the hashes of their names. With 0
    # none are kept apart, and the last checkpoint is taken for the best.
    share: int = 10
    every: int = 500  # steps of a stage that learns maps, and after its last


STAGES = ("gce", "lce", "density", "adversary")  # fields of `Experiment`, in order
NETWORKS = ("gce", "lce", "dme", "fcnn")  # as weights are named


@dataclass
class Experiment:
    """Everything that decides a run's result; saved as config.json in the workdir."""

    data: DataSet = field(default_factory=Crowd)
    target: Target = field(default_factory=Target)
    crops: Crops = field(default_factory=Crops)
    model: Model = field(default_factory=Model)
    gce: GlobalStage = field(default_factory=GlobalStage)
    lce: LocalStage = field(default_factory=LocalStage)
    density: DensityStage = field(default_factory=DensityStage)
    adversary: Adversary = field(default_factory=Adversary)
    validation: Validation = field(default_factory=Validation)
    # Weights of the same networks to go on from: a weights file, the workdir of a run
    # or a released name; "": all are drawn. They may have a whole number of times fewer
    # density classes. A stage of 0 steps is left out.
    start: str = ""
    taken: tuple = NETWORKS  # from `start`; the others begin as they would without it
    seed: int = 0  # of initialisation, crops, order, noise and dropout
    # What the networks that learn compute in: "float32" or "bfloat16". Weights, losses,
    # sums over parts, the optimisers and all evaluation stay in float32.
    compute_dtype: str = "float32"
    # Examples that a step computes together, their gradients added in one order: the
    # same weights to the last bit on any number of devices (docs/scaling.md, the price
    # too). It takes the place of `accumulate`. 0: a device's share, and its roundings.
    unit: int = 0
    workers: int = 0  # processes that read photographs ahead; 0: threads
    log_every: int = 10  # steps between lines of metrics.jsonl
    save_every: int = 200  # steps between checkpoints
    pictures: int = 12  # drawn by the evaluation, from the best count to the worst
    # What the evaluation holds counts against: the annotated heads ("points"), or the
    # sums of the true density maps ("maps").
    true_counts: str = "points"
