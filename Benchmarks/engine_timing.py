"""How the peers of engine-against-peers.sh are timed; used by engine_in_pytorch.py and engine_in_pocket_tts.py."""
import argparse
import copy
import gc
import json
import statistics
import time
import warnings

import torch

WINDOW = 256  # Positions whose mean is measured.
COLD = 512 << 20  # Bytes that the copies of a network have at least together, so that no cache holds them.


def arguments(networks, weights):
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=networks)
    parser.add_argument("weights", choices=weights)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=WINDOW, help="positions that are measured, equally spaced")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    return options


def positions(count):
    count = min(count, WINDOW)
    return [int((index + 0.5) * WINDOW / count) for index in range(count)]


def size(value):
    """Bytes of all tensors in a module, a state or a collection of them, packed int8 weights included."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, torch.nn.Module):
        return size(value.state_dict())
    if isinstance(value, dict):
        return size(list(value.values()))
    return sum(map(size, value)) if isinstance(value, (list, tuple)) else 0


def parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def copies(model, finish):
    """Enough copies of what `finish` makes of a copy of the model, at least two."""
    made = [finish(copy.deepcopy(model)) for _ in range(2)]
    while len(made) * size(made[0]) < COLD:
        made.append(finish(copy.deepcopy(model)))
    return made


def sweep(frame, copies, positions):
    """Mean seconds of every part of a frame; `frame(copy, position)` gives the seconds of its parts."""
    sums = {}
    for index, position in enumerate(positions):
        for part, seconds in frame(copies[index % len(copies)], position).items():
            sums[part] = sums.get(part, 0) + seconds
    return {part: total / len(positions) for part, total in sums.items()}


def measure(frame, copies, positions):
    """Warm: one copy again and again. Cold: the next copy every frame."""
    gc.collect()
    gc.disable()
    sweep(frame, copies[:1], positions[:32])
    warm = sweep(frame, copies[:1], positions)
    sweep(frame, copies, (positions * len(copies))[: len(copies)])
    cold = sweep(frame, copies, positions)
    gc.enable()
    return {"warm": warm, "cold": cold}


def median_seconds(call, repeats=5):
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def report(options, **values):
    print(json.dumps({"network": options.network, "weights": options.weights, "threads": options.threads, **values}))
