"""Whether a model's draws are as loud and as varied as the data, one step after a real past, by context noise.

    python3 Benchmarks/draws_against_data.py MODEL_PACKAGE LATENTS [LAW]

LAW is linear (default) or additive. Columns: mean square of the real latents and of the drawn ones; variance between draws of one
position; what of the real latent the draws do not explain, which the variance should equal. Small preset only; needs PyTorch.
"""
import glob, json, random, struct, sys

import torch
from torch.nn import functional as F

from training_in_pytorch import Model

KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
LENGTH, WINDOW = 384, 128


def tensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {
        name: torch.frombuffer(bytearray(data[slice(*entry["data_offsets"])]), dtype=KINDS[entry["dtype"]])
        .float().reshape(entry["shape"])
        for name, entry in header.items() if name != "__metadata__"
    }


def load(package):
    weights, state = tensors(package + "/model.safetensors"), {}

    def take(ours, theirs):
        for part in ("weight", "bias"):
            if f"{theirs}.{part}" in weights:
                state[f"{ours}.{part}"] = weights[f"{theirs}.{part}"]

    take("enter", "backbone.in")
    take("norm", "backbone.norm")
    for i in range(6):
        block, own = f"backbone.blocks.{i}.", f"blocks.{i}."
        take(own + "norm1", block + "attention_norm")
        take(own + "norm2", block + "feedforward_norm")
        for ours, theirs in [("attention.enter", "attention.in"), ("attention.leave", "attention.out"),
                             ("expand", "feedforward.in"), ("contract", "feedforward.out")]:
            take(own + ours, block + theirs)
        for name in ("sink_keys", "sink_values"):
            state[own + "attention." + name] = weights[block + "attention." + name]
    for ours, theirs in [("head_in", "in"), ("condition", "condition"), ("time.0", "time.in"), ("time.2", "time.out"),
                         ("modulation", "modulation"), ("leave", "out")]:
        take(ours, "sampler." + theirs)
    for i in range(3):
        for ours, theirs in [("modulation", "modulation"), ("expand", "in"), ("contract", "out")]:
            take(f"head_blocks.{i}.{ours}", f"sampler.blocks.{i}.{theirs}")
    model = Model(LENGTH)
    # What the backbone is told of noise, where it is told.
    model.noise_level = weights.get("backbone.noise_level", torch.zeros(256))
    unknown = model.load_state_dict(state, strict=False)
    assert not unknown.unexpected_keys and all(key.split(".")[-1] in ("table", "mask", "sin", "cos")
                                               for key in unknown.missing_keys), unknown
    return model.eval()


def clips(folder):
    random.seed(1)
    chosen = []
    for shard in sorted(glob.glob(folder + "/shard-*.safetensors"))[::3]:
        for piece in tensors(shard).values():
            if piece.dim() == 2 and len(piece) > LENGTH + 1:
                start = random.randrange(len(piece) - LENGTH)
                chosen.append(piece[start:start + LENGTH + 1])
                break
    return torch.stack(chosen)


def velocity(model, x, t, z):
    angle = torch.full((len(z), 1, 1), t) * model.table
    c = F.silu(model.time(torch.cat([angle.cos(), angle.sin()], -1)) + model.condition(z))
    h = model.head_in(x)
    for block in model.head_blocks:
        h = block(h, c)
    shift, scale = model.modulation(c).chunk(2, -1)
    return model.leave(model.head_norm(h) * (1 + scale) + shift)


def draw(model, z, intervals=4):
    x, h = torch.randn(len(z), 1, 64), 1 / intervals
    for i in range(intervals):
        middle = x + h / 2 * velocity(model, x, i * h, z)
        x = x + h * velocity(model, middle, (i + 0.5) * h, z)
    return x


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, data = load(sys.argv[1]), clips(sys.argv[2])
    law = sys.argv[3] if len(sys.argv) > 3 else "linear"
    past, real = data[:, :-1], data[:, 1 + WINDOW:].reshape(-1, 1, 64)
    print("| context noise | real | drawn | variance of draws | unexplained |\n|---|---|---|---|---|")
    for k in (0, 0.05, 0.1, 0.2, 0.3, 0.4):
        heard = (1 if law == "additive" else 1 - k) * past + k * torch.randn_like(past)
        z = model.norm(model.blocks(model.enter(heard) + k * model.noise_level))[:, WINDOW:].reshape(-1, 1, 256)
        one, two = draw(model, z), draw(model, z)
        variance = ((one - two).square() / 2).mean()
        unexplained = (real - one).square().mean() - variance
        print(f"| {k:g} | {real.square().mean():.3f} | {one.square().mean():.3f} | {variance:.3f} | {unexplained:.3f} |")


main()
