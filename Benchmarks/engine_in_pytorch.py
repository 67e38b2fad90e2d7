"""Legato's cam-150m and its small codec for inference in PyTorch, in eager mode; used by engine-against-peers.sh.

  python3 engine_in_pytorch.py cam-150m f32|bf16|int8 [--threads N] [--frames N]
  python3 engine_in_pytorch.py codec f32 [--threads N] [--frames N]

Random weights. Prints one JSON object: seconds a frame of every part, warm and cold, and of prefill or encoding.
int8 is torch.ao.quantization.quantize_dynamic on every Linear: torchao's int8 is much slower in eager mode for one row.
"""
import time

import torch
import torch.nn.functional as F
from torch import nn

from engine_timing import WINDOW, arguments, copies, measure, median_seconds, parameters, positions, report, size
from training_in_pytorch import Codec

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "int8": torch.float32}


class Attention(nn.Module):
    def __init__(self, width, heads, sinks):
        super().__init__()
        self.heads, self.size, self.sinks = heads, width // heads, sinks
        self.enter, self.leave = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.sink_keys = nn.Parameter(torch.randn(sinks, heads, self.size) * 0.02)
        self.sink_values = nn.Parameter(torch.randn(sinks, heads, self.size) * 0.02)

    def cache(self, window, still):
        """Keys and values [2, heads, sinks + window, size], the sinks first; random where no position has been."""
        cache = torch.randn(2, self.heads, self.sinks + window, self.size, dtype=self.sink_keys.dtype)
        cache[0, :, : self.sinks] = (self.sink_keys * still).transpose(0, 1)
        cache[1, :, : self.sinks] = self.sink_values.transpose(0, 1)
        return cache

    def turn(self, x, cos, sin):
        return torch.addcmul(x * cos, x.roll(self.size // 2, -1), sin)

    def step(self, x, cos, sin, cache, slot, seen):
        qkv = self.enter(x).view(3, self.heads, self.size)
        turned = self.turn(qkv[:2], cos, sin)
        cache[0, :, slot] = turned[1]
        cache[1, :, slot] = qkv[2]
        k, v = cache[:, None, :, :seen].unbind(0)
        return self.leave(F.scaled_dot_product_attention(turned[0][None, :, None], k, v).view(x.shape))

    def prefill(self, x, cos, sin, cache, mask):
        """x [length, width] at positions 0, 1, ... of a fresh stream."""
        qkv = self.enter(x).view(-1, 3, self.heads, self.size).permute(1, 2, 0, 3)
        turned = self.turn(qkv[:2], cos, sin)
        seen = self.sinks + len(x)
        cache[0, :, self.sinks : seen] = turned[1]
        cache[1, :, self.sinks : seen] = qkv[2]
        k, v = cache[:, None, :, :seen].unbind(0)
        y = F.scaled_dot_product_attention(turned[:1], k, v, attn_mask=mask)
        return self.leave(y[0].transpose(0, 1).reshape(x.shape))


class Block(nn.Module):
    def __init__(self, width, heads, feedforward, sinks):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, sinks)
        self.expand, self.contract = nn.Linear(width, feedforward, False), nn.Linear(feedforward, width, False)

    def forward(self, x, attend, *place):
        x = x + attend(self.attention, self.norm1(x), *place)
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Backbone(nn.Module):
    def __init__(self, latent=64, width=768, layers=16, heads=12, feedforward=3072, window=WINDOW, sinks=4):
        super().__init__()
        self.window, self.sinks, size = window, sinks, width // heads
        self.enter = nn.Linear(latent, width)
        self.blocks = nn.ModuleList([Block(width, heads, feedforward, sinks) for _ in range(layers)])
        self.norm = nn.RMSNorm(width, eps=1e-6)
        # Rotary on three quarters of the pairs (i, i + size / 2); the others have the frequency 0.
        half = size // 2
        frequency = 10_000.0 ** (-torch.arange(half) / half)
        frequency[half * 3 // 4 :] = 0
        angle = torch.arange(16 * window)[:, None] * frequency
        self.register_buffer("cos", torch.cat([angle.cos(), angle.cos()], 1))
        self.register_buffer("sin", torch.cat([-angle.sin(), angle.sin()], 1))
        self.register_buffer("still", (frequency == 0).float().repeat(2))

    def caches(self):
        return [block.attention.cache(self.window, self.still) for block in self.blocks]

    def step(self, latent, position, caches):
        """The next position of a stream: latent [1, D] → z [1, width]."""
        slot, seen = self.sinks + position % self.window, self.sinks + min(position + 1, self.window)
        cos, sin = self.cos[position], self.sin[position]
        x = self.enter(latent)
        for block, cache in zip(self.blocks, caches):
            x = block(x, Attention.step, cos, sin, cache, slot, seen)
        return self.norm(x)

    def prefill(self, latents, caches):
        """A prompt of at most a window: latents [length, D] → z [length, width]."""
        length = len(latents)
        mask = torch.ones(length, self.sinks + length, dtype=torch.bool).tril(self.sinks)
        x = self.enter(latents)
        for block, cache in zip(self.blocks, caches):
            x = block(x, Attention.prefill, self.cos[:length], self.sin[:length], cache, mask)
        return self.norm(x)


class Adaptive(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.modulation = nn.Linear(width, 3 * width)
        self.expand, self.contract = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x, modulation):
        shift, scale, gate = modulation.chunk(3, -1)
        h = torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale + 1)
        return torch.addcmul(x, gate, self.contract(F.silu(self.expand(h))))


class Sampler(nn.Module):
    def __init__(self, latent=64, condition=768, width=1024, blocks=6):
        super().__init__()
        self.latent = latent
        self.enter, self.condition = nn.Linear(latent, width), nn.Linear(condition, width)
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList([Adaptive(width) for _ in range(blocks)])
        self.modulation, self.leave = nn.Linear(width, 2 * width), nn.Linear(width, latent)

    def schedule(self, steps, kind):
        """(embedded times, the same for all frames; how far each velocity leads; whether it ends its interval)."""
        interval, odd = 1 / ((steps + 1) // 2), steps % 2
        halves = [index + odd for index in range(steps)]
        times = [half * interval / 2 for half in halves]
        gains = [interval if half % 2 else interval / 2 for half in halves]
        ends = [half % 2 == 1 for half in halves]
        if odd:
            times[0], gains[0], ends[0] = 0.0, interval, True
        angle = torch.tensor(times)[:, None] * 1000 * 10_000.0 ** (-torch.arange(128) / 128)
        return self.time(torch.cat([angle.cos(), angle.sin()], -1).to(kind)), gains, ends

    def draw(self, z, schedule, at_once):
        """A latent [1, D] given z [1, width]; `at_once` computes the modulations of all steps before the first one."""
        times, gains, ends = schedule
        c = F.silu(times + self.condition(z))
        layers = [block.modulation for block in self.blocks] + [self.modulation]
        if at_once:
            modulations = list(zip(*[layer(c).split(1) for layer in layers]))
        x = base = torch.randn(1, self.latent, dtype=z.dtype)
        for index, gain in enumerate(gains):
            given = modulations[index] if at_once else [layer(c[index : index + 1]) for layer in layers]
            h = self.enter(x)
            for block, modulation in zip(self.blocks, given):
                h = block(h, modulation)
            shift, scale = given[-1].chunk(2, -1)
            velocity = self.leave(torch.addcmul(shift, F.layer_norm(h, h.shape[-1:], eps=1e-6), scale + 1))
            x = torch.add(base, velocity, alpha=gain)
            if ends[index]:
                base = x
        return x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.sampler = Backbone(), Sampler()


class StreamingCodec(Codec):
    """The network of the training benchmark, whole sequences in and single latents out."""

    def __init__(self):
        super().__init__()
        for name in ("mean", "deviation"):
            self.register_buffer(name, torch.rand(64) + 0.5)
        # The squared Hann windows of all frames over a sample sum to 3/8 of the overlap factor.
        self.register_buffer("synthesis", self.window / (0.375 * self.fft / self.hop))

    def encode(self, audio):
        """Audio [1, 2, samples] → latents [1, frames, 64]."""
        mid = torch.stack([audio[:, 0] + audio[:, 1], audio[:, 0] - audio[:, 1]], 1) * 0.5
        frames = F.pad(mid[0], (self.fft - self.hop, 0)).unfold(-1, self.fft, self.hop) * self.window
        spectrum = torch.view_as_real(torch.fft.rfft(frames)).transpose(-1, -2)
        spectrum = spectrum * (spectrum.square().sum(-2, keepdim=True) + 1e-10).pow(-0.175).mul_(0.34)
        x = self.encoder(self.enter(spectrum.transpose(0, 1).reshape(1, -1, 4 * self.bins)))
        x = self.encoder_bottleneck(self.fold_in(x.reshape(1, -1, self.fold * x.shape[2])))
        return (self.posterior(x).chunk(2, -1)[0] - self.mean) / self.deviation

    def state(self):
        """What decoding keeps: the last inputs of every convolution and the sound that is not complete yet."""
        blocks = [*self.decoder_bottleneck, *self.decoder]
        tails = [torch.zeros(block.kernel - 1, block.norm.normalized_shape[0]) for block in blocks]
        return [*tails, torch.zeros(2, self.fft - self.hop)]

    def decode(self, latent, state):
        """The next latent [1, 64] of a stream → audio [2, 4 · hop]."""
        x = self.leave(torch.addcmul(self.mean, latent, self.deviation))
        tails = iter(range(len(state)))
        for block in self.decoder_bottleneck:
            x = self.convolve(block, x, state, next(tails))
        x = self.unfold(x).view(self.fold, self.width)
        for block in self.decoder:
            x = self.convolve(block, x, state, next(tails))
        y = self.head(self.norm(x)).view(self.fold, 2, 2, self.bins) * (1 / 0.34)
        power = y.square().sum(2, keepdim=True).add_(1e-8).clamp_(max=1e4)
        y = y * power.pow_(0.5 * (1 / 0.65 - 1))
        waves = torch.fft.irfft(torch.complex(y[:, :, 0], y[:, :, 1])) * self.synthesis
        sound = torch.zeros(2, (self.fold - 1) * self.hop + self.fft)
        sound[:, : self.fft - self.hop] = state[-1]
        for index in range(self.fold):
            sound[:, index * self.hop : index * self.hop + self.fft] += waves[index]
        whole, state[-1] = sound.split([self.fold * self.hop, self.fft - self.hop], 1)
        return torch.stack([whole[0] + whole[1], whole[0] - whole[1]])

    @staticmethod
    def convolve(block, x, state, index):
        """A ConvNeXt block on the next frames [T, width]; for so few a product with windows of them beats conv1d."""
        joined = torch.cat([state[index], x])
        state[index] = joined[-(block.kernel - 1) :]
        y = (joined.unfold(0, block.kernel, 1) * block.depthwise.weight[:, 0]).sum(-1) + block.depthwise.bias
        return x + block.contract(F.gelu(block.expand(block.norm(y)), approximate="tanh")) * block.gain


def quantized(module, weights):
    if weights == "bf16":
        return module.bfloat16()
    if weights == "int8":
        return torch.ao.quantization.quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8, inplace=True)
    return module


def model(options):
    network, kind = Model().eval(), TYPES[options.weights]
    counts = {"backbone": parameters(network.backbone), "sampler": parameters(network.sampler)}

    def finish(copied):
        copied = quantized(copied, options.weights)
        return copied, copied.backbone.caches()

    with torch.inference_mode():
        made = copies(network, finish)
        latent, prompt = torch.randn(1, 64, dtype=kind), torch.randn(250, 64, dtype=kind)
        runs = {}
        for steps, at_once in (1, False), (16, False), (16, True):
            schedule = made[0][0].sampler.schedule(steps, kind)

            def frame(copied, position):
                network, caches = copied
                began = time.perf_counter()
                z = network.backbone.step(latent, position, caches)
                between = time.perf_counter()
                network.sampler.draw(z, schedule, at_once)
                return {"backbone": between - began, "sampler": time.perf_counter() - between}

            # The sampler does not depend on the position: a quarter of the frames does for many steps.
            count = options.frames if steps == 1 else max(1, options.frames // 4)
            runs[f"{steps} at once" if at_once else str(steps)] = measure(frame, made, positions(count))
        network, caches = made[0]
        prefill = median_seconds(lambda: network.backbone.prefill(prompt, caches))
    report(options, parameters=counts, bytes=size(made[0]), copies=len(made), runs=runs, prefill=prefill)


def codec(options):
    network = StreamingCodec().eval()
    encoder = ("enter", "encoder", "fold_in", "encoder_bottleneck", "posterior")
    counts = {"encoder": parameters(*[getattr(network, name) for name in encoder])}
    counts["codec"] = parameters(network) + network.mean.numel() + network.deviation.numel()

    def finish(copied):
        for name in encoder:
            delattr(copied, name)
        return copied, copied.state()

    with torch.inference_mode():
        made = copies(network, finish)
        latent, audio = torch.randn(1, 64), torch.randn(1, 2, 480_000) * 0.1

        def frame(copied, position):
            began = time.perf_counter()
            copied[0].decode(latent, copied[1])
            return {"codec": time.perf_counter() - began}

        runs = {"1": measure(frame, made, positions(options.frames))}
        encode = median_seconds(lambda: network.encode(audio), 3)
    report(options, parameters=counts, bytes=size(made[0]), copies=len(made), runs=runs, encode=encode)


if __name__ == "__main__":
    options = arguments(["cam-150m", "codec"], list(TYPES))
    if options.network == "cam-150m":
        model(options)
    elif options.weights == "f32":
        codec(options)
    else:
        raise SystemExit("the codec is measured in f32")
