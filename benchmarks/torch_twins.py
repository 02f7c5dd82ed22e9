"""DME and F-CNN in JAX and in PyTorch, for networks_cpu.py and networks_gpu.py.

Both have the same weights and the same batch, and compute on the device and in the
dtype of a `Place`. A call waits for its result and leaves it on its device. `agree`
compares the results before the timing.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import linen as nn
from flax.traverse_util import flatten_dict
from torch.nn import functional as F

from cpcnn_jax import config
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.models.vgg import MEAN, STD
from cpcnn_jax.training import mixed_precision

REFERENCE = "torch channels_last"
RATE = 1e-4  # of Adam
MODEL = CPCNN(gce=None, lce=None)  # the context maps are inputs
CONTEXT = 10  # number of context maps


class Place(NamedTuple):
    """Device and dtype of the computation; weights, losses and Adam stay float32."""

    device: str = "cpu"  # or "gpu"
    dtype: str = "float32"  # or "bfloat16"

    @property
    def jax_devices(self):
        """List of one device of JAX."""
        return jax.devices(self.device)[:1]

    @property
    def torch_device(self):
        """PyTorch's name of the device."""
        return "cuda" if self.device == "gpu" else self.device

    @property
    def torch_dtype(self):
        """PyTorch's dtype."""
        return getattr(torch, self.dtype)


CPU = Place()


def arrays(batch, height, width):
    """Draws images, ground-truth densities and context maps of one batch."""
    random = np.random.default_rng(0)
    image = random.random((batch, height, width, 3), np.float32)
    density = random.random((batch, height, width, 1), np.float32) / 500
    context = random.random((batch, height // 4, width // 4, CONTEXT), np.float32)
    return {"image": image, "density": density, "context": context}


def first_weights():
    """Initializes DME and F-CNN; returns a flat dict of arrays."""
    small = {name: jnp.asarray(x) for name, x in arrays(1, 64, 64).items()}
    tree = jax.jit(MODEL.init)(
        jax.random.key(0), small["image"], context=small["context"]
    )
    return jax.device_get(flatten_dict(tree["params"], sep="/"))


def placed(array, place):
    """Puts an array on the place's device in its dtype: (JAX's, PyTorch's)."""
    (device,) = place.jax_devices
    jax_array = jax.device_put(jnp.asarray(array, place.dtype), device)
    tensor = torch.tensor(array).to(place.torch_device, place.torch_dtype)
    return jax_array, tensor


def finished(value):
    """Waits until a value, of JAX or PyTorch, is computed; returns it."""
    if not isinstance(value, torch.Tensor):
        return jax.block_until_ready(value)
    if value.is_cuda:
        torch.cuda.synchronize(value.device)
    return value


def on_host(value):
    """Converts the result of a call to NumPy in float32."""
    if isinstance(value, torch.Tensor):
        value = value.detach().float().cpu()
    return np.asarray(value, np.float32)


def jax_network(dtype, model=MODEL):
    """Returns (weights, batch) -> density in float32, computed in the dtype."""

    @nn.intercept_methods(mixed_precision.biases_apart)
    def estimate(weights, batch):
        weights, batch = mixed_precision.cast_floats((weights, batch), dtype)
        variables, context = to_variables(weights), batch["context"]
        density, _ = model.apply(variables, batch["image"], context=context)
        return mixed_precision.to_float32(density)

    return estimate


def split(batch, strategy):
    """Divides the arrays of a batch over the devices of a strategy."""
    return jax.tree.map(lambda x: strategy.place_examples(x[None])[0], batch)


def jax_forward(weights, batch, place=CPU, *, devices=None, model=MODEL):
    """Returns `() -> density`, with the batch divided over the devices."""
    strategy = data_parallel.jit_strategy(devices or place.jax_devices)
    arguments = strategy.place_state(weights), split(batch, strategy)
    compiled = jax.jit(jax_network(place.dtype, model))
    return lambda: finished(compiled(*arguments))


def jax_training(weights, batch, place=CPU, *, devices=None, model=MODEL):
    """Returns `() -> loss`, a step of Adam, with the batch divided over the devices."""
    tx = optax.adam(RATE)
    strategy = data_parallel.jit_strategy(devices or place.jax_devices)
    estimate = jax_network(place.dtype, model)

    def loss(params, batch):
        return jnp.mean((100 * (estimate(params, batch) - batch["density"])) ** 2)

    def step(state, batch):
        params, opt_state = state
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    compiled = jax.jit(step, donate_argnums=0)
    placed_batch = split(batch, strategy)
    state = strategy.place_state((weights, tx.init(weights)))

    def call():
        nonlocal state
        state, value = finished(compiled(state, placed_batch))
        return value

    return call


def images(array, layout, place=CPU):
    """Converts `[B, H, W, C]` to PyTorch's float32 `[B, C, H, W]`."""
    tensor = torch.tensor(np.array(array), device=place.torch_device)
    return tensor.permute(0, 3, 1, 2).contiguous(memory_format=layout)


def parameters_of(weights, layout, place=CPU):
    """Converts weights to parameters of PyTorch's layers, by the same names."""
    parameters = {}
    for name, value in weights.items():
        value = torch.tensor(np.array(value), device=place.torch_device)
        if value.ndim == 2:  # an FC layer, as a 1x1 convolution
            value = value.T[:, :, None, None].contiguous(memory_format=layout)
        elif name.endswith("kernel"):
            if "/t" in name:  # T: PyTorch flips the kernel
                value = value.flip(0, 1).permute(2, 3, 0, 1)
            else:
                value = value.permute(3, 2, 0, 1)
            value = value.contiguous(memory_format=layout)
        parameters[name] = value.requires_grad_()
    return parameters


def torch_layer(x, name, kernel, bias=None):
    """Computes a layer in PyTorch; a T has "/t" in its name."""
    if "/t" in name:
        return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)
    return F.conv2d(x, kernel, bias, padding="same")


def twin(weights, layout, place=CPU):
    """Returns the PyTorch parameters and a function (image, context) -> density."""
    parameters = parameters_of(weights, layout, place)

    def layer(x, name):
        kernel, bias = parameters[f"{name}/kernel"], parameters[f"{name}/bias"]
        return torch_layer(x, name, kernel, bias)

    mean, std = (
        torch.tensor(v, device=place.torch_device).reshape(1, 3, 1, 1)
        for v in (MEAN, STD)
    )

    def network(image, context):
        image = (image - mean) / std
        columns = []
        for number, column in enumerate(config.Model().dme_columns, start=1):
            x = image
            for depth in range(1, len(column) + 1):
                x = F.relu(layer(x, f"dme/column{number}_conv{depth}"))
                x = F.max_pool2d(x, 2) if depth <= 2 else x
            columns.append(x)
        x = torch.cat([*columns, context], dim=1)
        for name in ("conv1", "conv2", "t1", "conv3", "t2"):
            x = F.relu(layer(x, f"fcnn/{name}"))
        return layer(x, "fcnn/conv4") / MODEL.density_scale

    return parameters, network


def compiled_network(network):
    """Applies torch.compile with default options and a static shape.

    The reset avoids a compilation for dynamic shapes after a second shape.
    """
    torch.compiler.reset()
    return torch.compile(network, dynamic=False, fullgraph=True)


def torch_calls(weights, batch, layout, place=CPU, *, compiled=False):
    """Returns `() -> density` and `() -> loss` in PyTorch; autocast if not float32."""
    parameters, network = twin(weights, layout, place)
    network = compiled_network(network) if compiled else network
    image, context, density = (
        images(batch[name], layout, place) for name in ("image", "context", "density")
    )
    fused = place.device == "gpu"  # one kernel for all weights
    optimizer = torch.optim.Adam(parameters.values(), lr=RATE, fused=fused)

    def estimate():
        is_half = place.dtype != "float32"
        with torch.autocast(place.torch_device, torch.bfloat16, enabled=is_half):
            return network(image, context).float()

    @torch.no_grad()
    def forward():
        return finished(estimate().permute(0, 2, 3, 1))

    def training():
        optimizer.zero_grad()
        value = ((100 * (estimate() - density)) ** 2).mean()
        value.backward()
        optimizer.step()
        return finished(value.detach())

    return forward, training


def tolerance(place):
    """Returns the relative tolerance of `agree`; float32 is TF32 on a GPU."""
    if place.dtype == "bfloat16":
        return 5e-2
    return 1e-2 if place.device == "gpu" else 1e-3


def agree(calls, *, times, tolerance=1e-3):
    """Checks that all contenders compute the same in each of several calls.

    Losses are compared one by one, densities relative to the largest value.

    Raises:
      SystemExit: a contender differs.
    """
    for _ in range(times):
        results = {name: on_host(call()) for name, call in calls.items()}
        expected = results[REFERENCE]
        for name, value in results.items():
            for a, b in zip(*map(np.atleast_1d, (value, expected)), strict=True):
                if not np.abs(a - b).max() <= tolerance * np.abs(b).max():
                    text = f"{name} differs from {REFERENCE}: nothing was timed"
                    raise SystemExit(text)
