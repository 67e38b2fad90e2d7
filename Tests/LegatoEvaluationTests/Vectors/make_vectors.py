#!/usr/bin/env python3
"""Makes the vectors that PublishedEmbedderTests compares with, from the original code on weights of a formula.

    pip install torch numpy safetensors librosa torchlibrosa transformers
    pip install --no-deps torchvggish panns-inference
    pip download --no-deps laion-clap && unzip laion_clap-*.whl -d laion
    python make_vectors.py vggish cnn14 cnn14-16k clap tokens text converter --laion laion

Made with torchvggish 0.2, panns-inference 0.1.1, torchlibrosa 0.1.0, librosa 0.11.0, transformers 5.23.0, laion-clap
1.1.7. Each name writes one or two files here; `converter` writes nothing, it checks Scripts/convert-metric-weights.py.
"""
import argparse
import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch

here = Path(__file__).resolve().parent

# Imported by the originals for what is not used here.
for name in ("numba", "matplotlib", "matplotlib.pyplot", "resampy", "soundfile", "torchvision", "torchvision.ops",
             "torchvision.ops.misc", "h5py", "wget"):
    try:
        importlib.import_module(name)
    except ImportError:
        sys.modules[name] = MagicMock()


def uniform(name, count):
    """Numbers in [-1, 1): SplitMix64 of the index, begun with FNV-1a of the name; exact in float32."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    result = np.empty(count, np.float32)
    for first in range(0, count, 1 << 22):
        index = np.arange(first + 1, min(first + (1 << 22), count) + 1, dtype=np.uint64)
        z = np.uint64(seed) + index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        result[first:first + len(index)] = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return result


def tensor(name, shape):
    """A weight that is far from zero, one and its neighbours, and keeps activations within bounds."""
    values = uniform(name, int(np.prod(shape)))
    if len(shape) > 1:
        centre, spread = 0, (6 / np.prod(shape[1:])) ** 0.5
    elif name.endswith("running_var"):
        centre, spread = (400, 200) if "bn0" in name or "batch_norm" in name else (1, 0.5)
    elif name.endswith("running_mean"):
        centre, spread = (-30, 10) if "bn0" in name or "batch_norm" in name else (0, 0.3)
    elif name.endswith("weight"):
        centre, spread = 1, 0.5
    else:
        centre, spread = 0, 0.3
    return torch.from_numpy((np.float32(centre) + np.float32(spread) * values).reshape(shape))


def sound(rate, seconds):
    """A rising tone that swells four times a second, with noise."""
    count = int(rate * seconds)
    t = np.arange(count) / rate
    tone = 0.4 * np.sin(2 * np.pi * (110 * t + 300 * t * t)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))
    return (tone + 0.1 * uniform("sound", count)).astype(np.float32)


def fill(model, kept=lambda name: True):
    """Gives every tensor that `kept` says values of the formula; returns names and shapes."""
    state = model.state_dict()
    shapes = {}
    for name, old in state.items():
        if name.endswith(("num_batches_tracked", "_index", "_ids", "attn_mask")):
            continue
        if not kept(name):
            continue
        shapes[name] = list(old.shape)
        # Both are no noise in a published file, but what the front end computes with.
        if ".stft." not in name and not name.endswith("melW"):
            state[name] = tensor(name, list(old.shape))
    model.load_state_dict(state)
    model.eval()
    return shapes


def rounded(values):
    return [float(f"{value:.7g}") for value in np.asarray(values, np.float64).reshape(-1)]


def write(name, **content):
    lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in content.items())
    (here / f"{name}.json").write_text("{" + lines + "}\n")


def vggish():
    # Its __init__ asks for the network over a hub that is not needed here.
    from torchvggish import torchvggish, vggish_input

    model = torchvggish._vgg(postprocess=False)
    shapes = fill(model)
    model.embeddings = torch.nn.Sequential(*list(model.embeddings.children())[:-1])
    examples = vggish_input.waveform_to_examples(sound(16_000, 2.5).astype(np.float64), 16_000)
    with torch.no_grad():
        rows = model(examples)
    write("vggish", shapes=shapes, logMel=rounded(examples.detach()[:, 0].reshape(-1, 64)[::16]), rows=rounded(rows))


def cnn14(name, rate, window, hop, fmax, seconds):
    from panns_inference.models import Cnn14

    model = Cnn14(rate, window, hop, 64, 50, fmax, 527)
    shapes = {key: shape for key, shape in fill(model).items() if ".stft." not in key}
    samples = torch.from_numpy(sound(rate, seconds))[None]
    with torch.no_grad():
        mels = model.logmel_extractor(model.spectrogram_extractor(samples))[0, 0]
        embedding = model(samples)["embedding"]
        logits = model.fc_audioset(embedding)
    write(name, shapes=shapes, logMel=rounded(mels[::16]), rows=rounded(embedding[0]), logits=rounded(logits[0]))


def clap_model(width=96, depths=(2, 2, 6, 2)):
    from transformers import ClapAudioConfig, ClapAudioModelWithProjection

    config = ClapAudioConfig(
        patch_embeds_hidden_size=width, hidden_size=8 * width, depths=list(depths), num_attention_heads=[4, 8, 16, 32],
        projection_dim=512)
    return ClapAudioModelWithProjection(config)


def clap_embed(model, samples, padding="pad"):
    """Log-mel frames and the row of one window."""
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc", padding=padding)
    mels = torch.tensor(np.array(extractor(samples, sampling_rate=48_000)["input_features"]))
    with torch.no_grad():
        rows = model(input_features=mels.float()).audio_embeds
    return mels, torch.nn.functional.normalize(rows, dim=-1)


def clap():
    model = clap_model()
    shapes = fill(model)
    mels, whole = clap_embed(model, sound(48_000, 10))
    # As fadtk cuts windows: one from every second, zeros after the end.
    samples = sound(48_000, 2.2)
    parts = [samples[i:] for i in range(0, len(samples), 48_000)]
    rows = [clap_embed(model, part)[1] for part in parts]
    base = clap_model(128, (2, 2, 12, 2))
    base_shapes = fill(base)
    _, base_whole = clap_embed(base, sound(48_000, 10))
    write("clap", shapes=shapes, baseShapes=base_shapes, logMel=rounded(mels[0, 0, ::64]), whole=rounded(whole),
          rows=rounded(torch.cat(rows)), baseWhole=rounded(base_whole))


def text():
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    # RobertaModel as LAION's package loads it has 1e-5, the default of ClapTextConfig is 1e-12.
    model = ClapTextModelWithProjection(ClapTextConfig(layer_norm_eps=1e-5, projection_dim=512))
    shapes = fill(model)

    def embed(tokens):
        padded = torch.tensor([tokens + [1] * (77 - len(tokens))])
        with torch.no_grad():
            rows = model(input_ids=padded, attention_mask=(padded != 1).long()).text_embeds
        return torch.nn.functional.normalize(rows, dim=-1)

    tokens = [0, 250, 11_111, 50_264, 7, 33, 40_000, 9, 2]
    audio = clap_model()
    fill(audio)
    _, heard = clap_embed(audio, sound(48_000, 3.3), padding="repeatpad")
    first = json.loads((here / "tokens.json").read_text())[0]["tokens"]
    write("clap-text", shapes=shapes, tokens=tokens, row=rounded(embed(tokens)), score=rounded(heard @ embed(first).T))


TEXTS = [
    "A piano plays a slow melody in a large hall.", "", " leading and  double   spaces ", "it's we'll THEY'RE can't",
    "120 bpm, 4/4, C#m7 -- 50% louder!!!", "tabs\tand\nlines\n\n  end", "Größe naïve Ωmega 日本語 音楽 🎻🎶 ½ Ⅳ",
    "e\u0301 and \u00e9", "\u00a0hard\u2003spaces \u3000", "''s 'S s' _under_score_", "music " * 100,
]


def tokens():
    """A small vocabulary of the published form, learnt from this repository's README, and what RoBERTa makes of texts."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    folder = here / "vocabulary"
    folder.mkdir(exist_ok=True)
    learner = ByteLevelBPETokenizer()
    learner.train(
        [str(here.parents[2] / "README.md")], vocab_size=700, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        show_progress=False)
    learner.save_model(str(folder))
    tokenizer = RobertaTokenizer.from_pretrained(str(folder))
    encoded = [tokenizer(text, truncation=True, max_length=77)["input_ids"] for text in TEXTS]
    assert max(map(len, encoded)) == 77
    (here / "tokens.json").write_text(json.dumps([{"text": t, "tokens": e} for t, e in zip(TEXTS, encoded)]) + "\n")


def laion_htsat(folder):
    """LAION's own class, without the package around it."""
    package = types.ModuleType("clap_module")
    package.__path__ = [str(Path(folder) / "laion_clap" / "clap_module")]
    sys.modules["clap_module"] = package
    htsat = importlib.import_module("clap_module.htsat")
    config = types.SimpleNamespace(
        mel_bins=64, sample_rate=48_000, window_size=1024, hop_size=480, fmin=50, fmax=14_000, class_num=527,
        model_name="tiny")
    return htsat.create_htsat_model(config)


def converter(folder):
    """LAION's audio tower gives what transformers' gives on the converted weights."""
    script = here.parents[2] / "Scripts" / "convert-metric-weights.py"
    spec = importlib.util.spec_from_file_location("convert_metric_weights", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def names(file, key="shapes"):
        return set(json.loads((here / f"{file}.json").read_text())[key])

    # PANNs and VGGish keep their names.
    from panns_inference.models import Cnn14
    from torchvggish import torchvggish
    from transformers import RobertaConfig, RobertaModel

    for rate, window, hop, network in ((32_000, 1024, 320, "cnn14"), (16_000, 512, 160, "cnn14-16k")):
        state = Cnn14(rate, window, hop, 64, 50, rate // 2, 527).state_dict()
        found, tensors = module.converted({"model": state, "iteration": 1})
        assert (found, set(tensors)) == (network, names(network))
    found, tensors = module.converted(torchvggish._vgg().state_dict())
    assert (found, set(tensors)) == ("vggish", names("vggish"))

    tower = laion_htsat(folder)
    fill(tower)
    projection = torch.nn.Sequential(torch.nn.Linear(768, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512))
    fill(projection)
    checkpoint = {f"module.audio_branch.{name}": value for name, value in tower.state_dict().items()}
    checkpoint |= {f"module.audio_projection.{name}": value for name, value in projection.state_dict().items()}
    # As narrow as it goes: only names are compared.
    roberta = RobertaModel(RobertaConfig(hidden_size=12, intermediate_size=12, type_vocab_size=1, vocab_size=8))
    checkpoint |= {f"module.text_branch.{name}": value for name, value in roberta.state_dict().items()}
    checkpoint |= {f"module.text_projection.{name}": value for name, value in projection.state_dict().items()}
    found, converted = module.converted({"state_dict": checkpoint})
    assert (found, set(converted)) == ("clap", names("clap") | names("clap-text"))
    converted = {name: value for name, value in converted.items() if not name.startswith("text_")}

    model = clap_model()
    missing = model.load_state_dict(converted, strict=False)
    assert all(name.endswith("relative_position_index") or name.endswith("num_batches_tracked")
               for name in missing.missing_keys), missing.missing_keys
    model.eval()
    samples = torch.from_numpy(sound(48_000, 10))[None]
    with torch.no_grad():
        original = projection(tower({"waveform": samples}, device="cpu")["embedding"])
        mels = tower.logmel_extractor(tower.spectrogram_extractor(samples))
        ours = model(input_features=mels).audio_embeds
    error = (original - ours).abs().max() / original.square().mean().sqrt()
    print(f"converter: LAION's HTSAT against transformers' on converted weights: {error:.2e} of the RMS")
    assert error < 1e-4


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=["vggish", "cnn14", "cnn14-16k", "clap", "text", "tokens", "converter"])
    parser.add_argument("--laion", help="folder of the unpacked wheel of laion-clap, for `converter`")
    arguments = parser.parse_args()
    actions = {
        "vggish": vggish,
        "cnn14": lambda: cnn14("cnn14", 32_000, 1024, 320, 14_000, 1.5),
        "cnn14-16k": lambda: cnn14("cnn14-16k", 16_000, 512, 160, 8_000, 2.5),
        "clap": clap,
        "text": text,
        "tokens": tokens,
        "converter": lambda: converter(arguments.laion),
    }
    for chosen in arguments.names:
        actions[chosen]()
