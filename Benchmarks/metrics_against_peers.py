"""Distances of the same embeddings by `legato evaluate vectors` and by the field's tools.

frechet-audio-distance (github.com/gudgud96/frechet-audio-distance) is its own code, loaded from the installed package. fadtk
(github.com/microsoft/fadtk, fad.py), audioldm_eval (github.com/haoheliu/audioldm_eval, metrics/fid.py) and kadtk
(github.com/YoonjinXD/kadtk, kad.py) are written out here from what they compute. The truth is a singular value decomposition of
the centred rows, which squares nothing.
"""
import importlib.util
import inspect
import json
import subprocess
import sys
import tempfile
import types
import warnings
from importlib.metadata import distribution, version
from pathlib import Path

import numpy as np
import scipy.linalg
from safetensors.numpy import save_file

TOLERANCE = 1e-6  # of tr C1 + tr C2


def sqrtm(matrix):
    """SciPy's root, finite or not: up to 1.17 `disp=False` keeps it from printing, from 1.18 on there is no such argument."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "disp" in inspect.signature(scipy.linalg.sqrtm).parameters:
            return scipy.linalg.sqrtm(matrix, disp=False)[0]
        return scipy.linalg.sqrtm(matrix)


def published_fad():
    """The class of frechet-audio-distance without its constructor, which downloads weights; names of networks stand in for them."""
    path = Path(distribution("frechet-audio-distance").locate_file("frechet_audio_distance/fad.py"))
    package = types.ModuleType("frechet_audio_distance")
    package.__path__ = [str(path.parent)]
    sys.modules["frechet_audio_distance"] = package
    class Missing(types.ModuleType):
        __path__ = []

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return object

    for name in ["resampy", "soundfile", "torch", "laion_clap", "tqdm", "encodec"]:
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = Missing(name)
    for name in ["frechet_audio_distance.models", "frechet_audio_distance.models.pann", "frechet_audio_distance.utils"]:
        sys.modules[name] = Missing(name)
    spec = importlib.util.spec_from_file_location("frechet_audio_distance.fad", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.linalg = types.SimpleNamespace(sqrtm=lambda m, disp=True: sqrtm(m) if disp else (sqrtm(m), 0.0))
    return module.FrechetAudioDistance.__new__(module.FrechetAudioDistance)


def moments(rows):
    return rows.mean(axis=0), np.cov(rows, rowvar=False)


def truth(x, y):
    (m, c), (n, e) = moments(x), moments(y)
    a, b = (x - m) / np.sqrt(len(x) - 1), (y - n) / np.sqrt(len(y) - 1)
    # R of a QR decomposition has the singular values of its rows.
    if len(x) > x.shape[1]:
        a = np.linalg.qr(a, mode="r")
    if len(y) > y.shape[1]:
        b = np.linalg.qr(b, mode="r")
    return (m - n) @ (m - n) + np.trace(c) + np.trace(e) - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()


def by_roots(root):
    """fadtk and audioldm_eval: the trace of a root of C1 C2; with 1e-6 on the diagonals where it is not finite."""

    def distance(x, y):
        (m, c), (n, e) = moments(x), moments(y)
        product = root(c @ e)
        if not np.isfinite(product).all():
            offset = 1e-6 * np.eye(len(c))
            product = sqrtm((c + offset) @ (e + offset))
        if np.iscomplexobj(product):
            if not np.allclose(np.diagonal(product).imag, 0, atol=1e-3):
                raise ValueError(f"imaginary component {np.abs(product.imag).max():.3g}")
            product = product.real
        return (m - n) @ (m - n) + np.trace(c) + np.trace(e) - 2 * np.trace(product)

    return distance


def eigenvalue_root(matrix):
    """fadtk's: V √D V⁻¹ of the general eigenvalue decomposition."""
    values, vectors = scipy.linalg.eig(matrix)
    return (vectors * np.lib.scimath.sqrt(values)) @ scipy.linalg.inv(vectors)


def kad(x, y):
    """kadtk's, in Float64, with the median distance of the reference as its description has it (its code takes the candidate's: issue 9)."""

    def squared(a, b):
        return (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T

    own = squared(x, x)
    pairs = np.sort(np.sqrt(np.maximum(own[np.triu_indices(len(x), 1)], 0)))
    gamma = 1 / (2 * pairs[len(pairs) // 2] ** 2 + 1e-8)
    within = [(np.exp(-gamma * squared(a, a)).sum() - len(a)) / (len(a) * (len(a) - 1)) for a in (x, y)]
    return 100 * (sum(within) - 2 * np.exp(-gamma * squared(x, y)).mean())


def line(points):
    """fadtk's extrapolation through given distances: intercept, slope, R²."""
    x, y = 1 / np.array([p["samples"] for p in points]), np.array([p["value"] for p in points])
    slope, intercept = np.polyfit(x, y, 1)
    return intercept, slope, 1 - ((y - slope * x - intercept) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def legato(program, x, y, *options):
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in [("x", x), ("y", y)]:
            save_file({"rows": np.ascontiguousarray(rows.astype(np.float32))}, f"{folder}/{name}.safetensors")
        command = [program, "evaluate", "vectors", "--reference", f"{folder}/x.safetensors", "--candidate", f"{folder}/y.safetensors"]
        text = subprocess.run(command + ["--json", *options], check=True, capture_output=True, text=True).stdout
    return {table["metric"]: table["entries"][0] for table in map(json.loads, text.splitlines())}


def case(random, dimension, n, m, rank):
    """Rows of two Gaussians with the same uneven spectrum, on a subspace of `rank`; rounded to what a file holds."""
    mix = random.standard_normal((rank, dimension)) * np.exp(-np.arange(rank) / rank * 4)[:, None] / np.sqrt(rank)
    x, y = random.standard_normal((n, rank)) @ mix, (1.1 * random.standard_normal((m, rank)) + 0.1) @ mix
    return x.astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64)


def main():
    program, quick = sys.argv[1], "--quick" in sys.argv
    fad = published_fad()
    peers = {
        "frechet-audio-distance": lambda x, y: fad.calculate_frechet_distance(*moments(x), *moments(y)),
        "fadtk": by_roots(eigenvalue_root),
        "audioldm_eval": by_roots(sqrtm),
    }
    sizes = [(8, 100, 80, 8), (64, 1000, 500, 64), (128, 2000, 1000, 128), (128, 300, 200, 40), (128, 100, 60, 128), (512, 1000, 800, 512), (512, 200, 100, 512)]
    if not quick:
        sizes += [(512, 2000, 600, 100), (2048, 300, 200, 2048)]
    print(f"SciPy {version('scipy')}, NumPy {version('numpy')}. Difference from Legato, in parts of tr C1 + tr C2; 1e-6 is asked for.\n")
    print("| dimensions | rank | reference | candidate | Fréchet distance | truth (SVD) | " + " | ".join(peers) + " | KAD | line of FD∞ |")
    print("|" + "---|" * (8 + len(peers)))
    random = np.random.default_rng(1)
    failures = []
    for dimension, n, m, rank in sizes:
        x, y = case(random, dimension, n, m, rank)
        ours = legato(program, x, y)
        value = ours["frechet_distance"]["value"]["value"]
        scale = np.trace(moments(x)[1]) + np.trace(moments(y)[1])
        name = f"{dimension} dimensions, rank {rank}, {n} and {m}"
        exact = abs(value - truth(x, y)) / scale
        if not exact <= TOLERANCE:
            failures.append(f"{name}: {exact:.2e} from the singular values")
        cells = [f"{exact:.1e}"]
        for peer, distance in peers.items():
            try:
                difference = abs(distance(x, y) - value) / scale
                cells.append(f"{difference:.1e}")
            except (ValueError, np.linalg.LinAlgError) as error:
                difference = np.inf
                cells.append(f"fails: {error}")
            if not difference <= TOLERANCE:
                failures.append(f"{name}: {peer} differs by {difference:.2e}")
        difference = abs(kad(x, y) - ours["kernel_audio_distance"]["value"]["value"])
        cells.append(f"{difference:.1e}")
        if not difference <= 1e-6:
            failures.append(f"{name}: KAD differs by {difference:.2e}")
        fit = ours["frechet_distance_infinity"]["fit"]
        found = np.array([fit["value"], fit["slope"], fit["r_squared"]])
        difference = np.max(np.abs(line(fit["points"]) - found) / (np.abs(found) + 1e-3 * scale))
        cells.append(f"{difference:.1e}")
        if not difference <= 1e-6:
            failures.append(f"{name}: the line of FD∞ differs by {difference:.2e}")
        print(f"| {dimension} | {rank} | {n} | {m} | {value:.6g} | " + " | ".join(cells) + " |", flush=True)
    for failure in failures:
        print(f"NOT THE SAME: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
