"""Hands the Dense and Conv layers of a Flax (linen) model to `agop measure --manifest`.

    dump(model, variables, x, "dump", initial=variables_before_training)
    agop measure --manifest dump/layers.toml

A layer computes h = W u at one or many positions (pixels, tokens). Its PTK features are
K = (1/n) sum over samples a and positions p of J^T J, with J = df(x_a)/dh_{a,p} (outputs x k).
Samples must not influence each other: call the model as in evaluation, since batch statistics do (`apply` takes the
arguments of the model, such as train=False).
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


skipped = set()  # said once


def weight(variables, path):
    """W (k x d) of a layer: transposed from Flax's (d, k); a convolution's patch is channel, row, column."""
    params = variables["params"]
    for key in path:
        params = params[key]
    kernel = np.moveaxis(np.asarray(params["kernel"]), (-1, -2), (0, 1))
    return kernel.reshape(len(kernel), -1).astype(np.float64)


def run(model, variables, x, zeros, shapes, apply):
    """The outputs, one row a sample, with zeros[i] added to the i-th pre-activation of the call."""
    calls = 0

    def add(call, args, kwargs, context):
        nonlocal calls
        h = call(*args, **kwargs)
        module = context.module
        if not isinstance(module, (nn.Dense, nn.Conv, nn.DenseGeneral)) or context.method_name != "__call__":
            return h
        if isinstance(module, nn.DenseGeneral) or getattr(module, "feature_group_count", 1) != 1:
            if module.path not in skipped:
                print(f"skipped {'.'.join(module.path)}: W is no single matrix")
                skipped.add(module.path)
            return h
        if shapes is not None:
            shapes.append((module.path, jnp.zeros_like(h)))
            return h
        h = h + zeros[calls]
        calls += 1
        return h

    with nn.intercept_methods(add):
        return model.apply(variables, x, **apply).reshape(len(x), -1)


def features(model, variables, x, chunk=64, apply=None):
    """K of each layer (k x k, float64) by the path of its parameters, `chunk` samples at a time, and the number of outputs."""
    apply, sums = apply or {}, {}
    for start in range(0, len(x), chunk):
        part, shapes = x[start : start + chunk], []
        run(model, variables, part, None, shapes, apply)
        f = lambda zeros: run(model, variables, part, zeros, None, apply)
        outputs, pullback = jax.vjp(f, [zeros for _, zeros in shapes])
        for output in range(outputs.shape[1]):  # the samples of a chunk are independent, so one pass serves them all
            (gradients,) = pullback(jnp.zeros_like(outputs).at[:, output].set(1))
            for (path, _), gradient in zip(shapes, gradients):
                rows = np.asarray(gradient, np.float64).reshape(-1, gradient.shape[-1])
                sums[path] = sums.get(path, 0) + rows.T @ rows
    return {path: k / len(x) for path, k in sums.items()}, outputs.shape[1]


def dump(model, variables, x, folder, initial=None, chunk=64, apply=None, parts=None):
    """Writes W, K (and W_0, K_0 of the variables `initial`) of each layer, and the manifest.

    parts: names of equal row blocks of a fused weight, such as {"attention.qkv": ["q", "k", "v"]}.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    times = {"": variables} if initial is None else {"": variables, "init-": initial}
    files, sizes = {}, {}
    for prefix, these in times.items():
        ks, outputs = features(model, these, x, chunk, apply)
        for path, k in ks.items():
            name = ".".join(path)
            sizes[name] = len(k)
            for kind, matrix in (("layer", weight(these, path)), ("features", k)):
                file = f"{name}.{prefix}{kind}.npy"
                np.save(folder / file, matrix)
                files.setdefault(name, []).append((prefix + kind, file))
    with open(folder / "layers.toml", "w") as manifest:
        manifest.write(f"samples = {len(x)}\noutputs = {outputs}\n")
        for name, entries in files.items():
            blocks = (parts or {}).get(name, [None])
            for index, block in enumerate(blocks):
                title = name if block is None else f"{name}.{block}"
                manifest.write(f'\n[[layers]]\nname = "{title}"\n')
                for key, file in entries:
                    manifest.write(f'{key} = "{file}"\n')
                if block is not None:
                    size = sizes[name] // len(blocks)
                    manifest.write(f'rows = "{index * size}:{(index + 1) * size}"\n')
