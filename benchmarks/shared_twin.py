"""The network with a shared backbone in JAX and in PyTorch, for networks_cpu.py.

Both count one image with the same random weights. `csrnet_call` is another network of
about the same operations per pixel, which it computes on an unpadded image.
"""

import jax
import numpy as np
import torch
import torch_twins
from torch.nn import functional as F

from cpcnn_jax import config
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.inference import baselines
from cpcnn_jax.inference.shared_estimator import SharedBackboneEstimator
from cpcnn_jax.models import csrnet, shared_backbone
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.models.shared_backbone import BLOCK, CELL
from cpcnn_jax.models.vgg import MEAN, STD

MODEL = shared_backbone.build(config.Model())
WINDOWS = {"gce": BLOCK, "lce": 64}  # pixels


def draw_weights(model=MODEL):
    """Draws He-normal kernels and biases of a network, a flat dict."""
    random = np.random.default_rng(0)
    return {
        name: random.normal(0, (2 / max(np.prod(shape[:-1]), 20)) ** 0.5, shape).astype(
            np.float32
        )
        for name, shape in param_shapes(model, channels=3).items()
    }


def jax_call(weights, image, model=MODEL):
    """Returns `() -> density [H, W]`, as the counter computes it."""
    estimator, given = SharedBackboneEstimator(model), jax.device_put(weights)
    return lambda: estimator.estimate(given, image)[0]


def csrnet_call(image):
    """Returns `() -> density [H, W]` of CSRNet with random weights, as it counts."""
    model = csrnet.CSRNet()
    estimate, given = baselines.csrnet_estimator(model), draw_weights(model)
    given = jax.device_put(given)
    return lambda: estimate(given, image)


def torch_call(weights, image, layout, *, compiled=False):
    """Returns `() -> density [H, W]` in PyTorch."""
    parameters = torch_twins.parameters_of(weights, layout)
    network = twin(parameters)
    network = torch_twins.compiled_network(network) if compiled else network
    batch = torch_twins.images(image[None], layout)

    @torch.no_grad()
    def forward():
        return network(batch)[0, 0]

    return forward


def twin(parameters):
    """Returns a function of `[1, 3, H, W]` to the density `[1, 1, H, W]`."""

    def layer(x, name):
        kernel, bias = parameters[f"{name}/kernel"], parameters[f"{name}/bias"]
        return torch_twins.torch_layer(x, name, kernel, bias)

    def relu(x, name):
        return F.relu(layer(x, name))

    def backbone(x):
        outputs = []
        for block, (_, depth) in enumerate(VGG16_BLOCKS, start=1):
            x = F.max_pool2d(x, 2) if outputs else x
            for number in range(1, depth + 1):
                part = "stem" if block <= 2 else "pyramid"
                x = relu(x, f"{part}/conv{block}_{number}")
            outputs.append(x)
        return outputs[2:]

    def merge(x, skip, name):
        kernels = [parameters[f"{name}{end}/kernel"] for end in ("", "_skip")]
        kernel, bias = torch.cat(kernels, dim=1), parameters[f"{name}/bias"]
        return F.relu(
            torch_twins.torch_layer(torch.cat([x, skip], dim=1), "", kernel, bias)
        )

    def context(cells, name):
        side = WINDOWS[name]
        means = F.avg_pool2d(cells, side // CELL)
        scores = layer(relu(means, f"{name}/fc0"), f"{name}/logits").softmax(dim=1)
        return F.interpolate(scores, scale_factor=side // 4, mode="nearest")

    def network(image):
        height, width = image.shape[2:]
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
        x = F.pad((image - mean) / std, (0, -width % BLOCK, 0, -height % BLOCK))
        c3, c4, c5 = backbone(x)
        x = relu(relu(c5, "dme/conv1"), "dme/t1")
        x = relu(merge(x, c4, "dme/conv2"), "dme/t2")
        x = merge(x, c3, "dme/conv3")
        cells = relu(c5, "context_features/conv")
        x = torch.cat([x, *(context(cells, name) for name in WINDOWS)], dim=1)
        for name in ("conv1", "conv2", "t1", "conv3", "t2"):
            x = relu(x, f"fcnn/{name}")
        x = layer(x, "fcnn/conv4")[:, :, :height, :width]
        return x / MODEL.density_scale

    return network
