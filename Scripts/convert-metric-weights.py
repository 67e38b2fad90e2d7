#!/usr/bin/env python3
"""Converts published weights of metric networks to the safetensors files that `legato evaluate` reads.

    pip install torch numpy safetensors
    Scripts/convert-metric-weights.py vggish-10086976.pth vggish.safetensors

Reads VGGish (github.com/harritaylor/torchvggish), PANNs' Cnn14 at 32 and 16 kHz (zenodo.org/record/3987831), and unfused
CLAP, LAION's checkpoints (huggingface.co/lukewys/laion_clap) as well as transformers' (pytorch_model.bin,
model.safetensors). Which one a file is, its tensors tell.
"""
import argparse
import os
import pickle
import re
import sys

try:
    import numpy
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file
except ImportError as error:
    sys.exit(f"convert-metric-weights: {error.name} is not installed here. First: pip install torch numpy safetensors")


class Unfit(Exception):
    """What is wrong with a file, for its owner."""


def read(path):
    """The tensors of a checkpoint, by name."""
    if not os.path.isfile(path):
        raise Unfit("there is no such file")
    try:
        if path.endswith(".safetensors"):
            return load_file(path)
        # LAION's checkpoints hold a NumPy number beside their tensors, which loading refuses unless it is named.
        scalar = type(numpy.float64(0)).__reduce__(numpy.float64(0))[0]
        named = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
        with torch.serialization.safe_globals([*named, numpy.dtype, type(numpy.dtype(numpy.float64))]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise Unfit(
            f"it cannot be read as weights alone ({type(error).__name__}); it may be damaged, or no checkpoint. Fetch it "
            "again from where it was published") from error


def converted(checkpoint):
    """Name of the network, and its tensors under the names that Legato reads."""
    for key in ("model", "state_dict"):
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
    if not isinstance(checkpoint, dict):
        raise Unfit("it holds no dictionary of tensors")
    tensors = {
        str(name).removeprefix("module."): value for name, value in checkpoint.items() if torch.is_tensor(value)
    }
    if any(name.startswith("audio_branch.") for name in tensors):
        network, tensors = "clap", from_laion(tensors)
    elif any(name.startswith("audio_model.audio_encoder.") for name in tensors):
        network = "clap"
    elif "logmel_extractor.melW" in tensors and "conv_block6.conv2.weight" in tensors:
        bins = tensors["logmel_extractor.melW"].shape[0]
        network = {513: "cnn14", 257: "cnn14-16k"}.get(bins)
        if network is None or "fc_audioset.weight" not in tensors:
            raise Unfit("it holds one of the PANNs, but not Cnn14 at 32 or 16 kHz")
    elif "features.13.weight" in tensors and "embeddings.4.weight" in tensors:
        network = "vggish"
    else:
        first = ", ".join(list(tensors)[:3]) or "none"
        raise Unfit(f"it holds none of VGGish, Cnn14 and CLAP; its first tensors are: {first}")
    if any("fusion_model" in name for name in tensors):
        raise Unfit("it holds CLAP with feature fusion; give unfused weights, such as 630k-audioset-best.pt")
    # Counters and tables of indices are not needed, and the Fourier transform is computed.
    kept = {
        name: value.to(torch.float32).contiguous().clone()
        for name, value in tensors.items()
        if value.is_floating_point() and ".stft." not in name and not name.startswith("pproc.")
    }
    return network, kept


# From the names of LAION's package to those of transformers' ClapModel, which regroups RoBERTa's not at all.
RENAMED = [
    (r"^audio_branch\.bn0\.", "audio_model.audio_encoder.batch_norm."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"\.blocks\.(\d+)\.norm1\.", r".blocks.\1.layernorm_before."),
    (r"\.blocks\.(\d+)\.norm2\.", r".blocks.\1.layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.relative", ".attention.self.relative"),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^text_branch\.", "text_model."),
    (r"^(audio|text)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(audio|text)_projection\.2\.", r"\1_projection.linear2."),
]
# Class heads and transforms that embeddings do not pass, and what the front end computes itself.
UNUSED = re.compile(
    r"^(audio_branch\.(tscam_conv|head|spectrogram_extractor|logmel_extractor)|audio_transform|text_transform)\.|attn_mask$"
)


def from_laion(tensors):
    result = {}
    for name, value in tensors.items():
        if UNUSED.search(name):
            continue
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        if ".attn.qkv." in name:
            for part, third in zip(("query", "key", "value"), value.chunk(3)):
                result[name.replace(".attn.qkv.", f".attention.self.{part}.")] = third
        else:
            result[name] = value
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="the published file")
    parser.add_argument("output", help="the .safetensors file to write")
    arguments = parser.parse_args()
    try:
        if os.path.exists(arguments.output):
            raise Unfit(f"{arguments.output} exists already; remove it or name another")
        network, tensors = converted(read(arguments.weights))
        aside = f"{arguments.output}.{os.getpid()}.part"
        try:
            save_file(tensors, aside, metadata={"architecture": network})
            os.replace(aside, arguments.output)
        finally:
            if os.path.exists(aside):
                os.remove(aside)
    except (Unfit, OSError, SafetensorError) as problem:
        sys.exit(f"convert-metric-weights.py: {arguments.weights}: {problem}")
    print(f"{arguments.output}: {network}, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
