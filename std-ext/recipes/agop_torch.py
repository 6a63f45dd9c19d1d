"""Hands the linear and convolution layers of a PyTorch model to `agop measure --manifest`.

    dump(model, x, "dump", initial=model_before_training)
    agop measure --manifest dump/layers.toml

A layer computes h = W u at one or many positions (pixels, tokens). Its PTK features are
K = (1/n) sum over samples a and positions p of J^T J, with J = df(x_a)/dh_{a,p} (outputs x k).
Samples must not influence each other: call `model.eval()` first, since batch statistics do.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def layers_of(model):
    """The layers that are measured, by name."""
    layers = {}
    for name, module in model.named_modules():
        if isinstance(module, CONVOLUTIONS) and module.groups != 1:
            print(f"skipped {name}: {module.groups} groups, W is no single matrix")
        elif isinstance(module, (nn.Linear, *CONVOLUTIONS)):
            layers[name] = module
    return layers


def features(model, x, layers, chunk=64):
    """K of each layer (k x k, float64) over the samples x, `chunk` of them at a time, and the number of outputs."""
    sums = {name: torch.zeros(m.weight.shape[0], m.weight.shape[0], dtype=torch.float64) for name, m in layers.items()}
    seen = set()
    for part in x.split(chunk):
        places = []  # (name, zeros that are added to h): a layer that is called twice has two

        def hook(name):
            def add(module, inputs, output):
                zeros = torch.zeros_like(output, requires_grad=True)
                places.append((name, zeros))
                return output + zeros

            return add

        handles = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
        try:
            with torch.enable_grad():
                outputs = model(part).flatten(1)
        finally:
            for handle in handles:
                handle.remove()
        for output in outputs.unbind(1):  # the samples of a chunk are independent, so one pass serves them all
            gradients = torch.autograd.grad(
                output.sum(), [zeros for _, zeros in places], retain_graph=True, allow_unused=True
            )
            for (name, _), gradient in zip(places, gradients):
                if gradient is not None:
                    channels = 1 if isinstance(layers[name], CONVOLUTIONS) else -1
                    rows = gradient.movedim(channels, -1).flatten(0, -2).double().cpu()
                    sums[name] += rows.T @ rows
        seen.update(name for name, _ in places)
    for name in set(layers) - seen:
        print(f"skipped {name}: the model uses its weights without calling it")
    return {name: (k / len(x)).numpy() for name, k in sums.items() if name in seen}, outputs.shape[1]


def dump(model, x, folder, initial=None, chunk=64, parts=None):
    """Writes W, K (and W_0, K_0 of the model `initial`) of each layer, and the manifest.

    parts: names of equal row blocks of a fused weight, such as {"attention.qkv": ["q", "k", "v"]}.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    models = {"": model} if initial is None else {"": model, "init-": initial}
    files = {}
    for prefix, net in models.items():
        layers = layers_of(net)
        ks, outputs = features(net, x, layers, chunk)
        for name, k in ks.items():
            w = layers[name].weight.detach().flatten(1).double().cpu().numpy()
            for kind, matrix in (("layer", w), ("features", k)):
                file = f"{name}.{prefix}{kind}.npy"
                np.save(folder / file, matrix)
                files.setdefault(name, []).append((prefix + kind, file))
    with open(folder / "layers.toml", "w") as manifest:
        manifest.write(f"samples = {len(x)}\noutputs = {outputs}\n")
        for name, entries in files.items():
            k = len(np.load(folder / entries[0][1], mmap_mode="r"))
            blocks = (parts or {}).get(name, [None])
            for index, block in enumerate(blocks):
                title = name if block is None else f"{name}.{block}"
                manifest.write(f'\n[[layers]]\nname = "{title}"\n')
                for key, file in entries:
                    manifest.write(f'{key} = "{file}"\n')
                if block is not None:
                    size = k // len(blocks)
                    manifest.write(f'rows = "{index * size}:{(index + 1) * size}"\n')
