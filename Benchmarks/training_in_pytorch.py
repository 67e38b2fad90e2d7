"""Legato's small codec and small model written for PyTorch as one writes them there; used by training-against-pytorch.sh.

  python3 training_in_pytorch.py codec|model STEPS THREADS DEVICE [--compile]

Prints seconds a step, the median after the first five. Data are random and lie in memory.
"""
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class ConvNeXt(nn.Module):
    def __init__(self, width, kernel):
        super().__init__()
        self.kernel = kernel
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.contract = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.gain = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x):
        y = self.depthwise(F.pad(x.transpose(1, 2), (self.kernel - 1, 0))).transpose(1, 2)
        return x + self.contract(F.gelu(self.expand(self.norm(y)), approximate="tanh")) * self.gain


class Codec(nn.Module):
    def __init__(self, fft=1920, hop=480, fold=4, latent=64, encoder=192, blocks=4, bottleneck=256, decoder=256,
                 decoder_blocks=6, channels=2):
        super().__init__()
        self.fft, self.hop, self.fold, self.channels, self.bins = fft, hop, fold, channels, fft // 2 + 1
        spectrum = channels * 2 * self.bins
        self.register_buffer("window", torch.hann_window(fft))
        self.enter = nn.Linear(spectrum, encoder)
        self.encoder = nn.Sequential(*[ConvNeXt(encoder, 7) for _ in range(blocks)])
        self.fold_in = nn.Linear(fold * encoder, bottleneck)
        self.encoder_bottleneck = nn.Sequential(*[ConvNeXt(bottleneck, 4) for _ in range(2)])
        self.posterior = nn.Linear(bottleneck, 2 * latent)
        self.leave = nn.Linear(latent, bottleneck)
        self.decoder_bottleneck = nn.Sequential(*[ConvNeXt(bottleneck, 4) for _ in range(2)])
        self.unfold = nn.Linear(bottleneck, fold * decoder)
        self.decoder = nn.Sequential(*[ConvNeXt(decoder, 7) for _ in range(decoder_blocks)])
        self.norm, self.head = nn.LayerNorm(decoder), nn.Linear(decoder, spectrum)
        self.width = decoder

    def forward(self, audio):
        batch = audio.shape[0]
        mid = torch.stack([audio[:, 0] + audio[:, 1], audio[:, 0] - audio[:, 1]], 1) * 0.5
        padded = F.pad(mid.reshape(batch * 2, -1), (self.fft - self.hop, 0))
        frames = padded.unfold(-1, self.fft, self.hop) * self.window
        spectrum = torch.view_as_real(torch.fft.rfft(frames.float()))
        spectrum = spectrum * (0.34 * (spectrum.square().sum(-1, keepdim=True) + 1e-10).pow(-0.175))
        x = spectrum.reshape(batch, 2, -1, 2 * self.bins).transpose(1, 2).flatten(2)
        x = self.encoder(self.enter(x))
        x = self.encoder_bottleneck(self.fold_in(x.reshape(batch, -1, self.fold * x.shape[2])))
        mean, log_variance = self.posterior(x).chunk(2, -1)
        log_variance = (log_variance - 4.5).clamp(-14, 6)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
        x = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        x = self.unfold(self.decoder_bottleneck(self.leave(x))).reshape(batch, -1, self.width)
        x = self.head(self.norm(self.decoder(x))).float().reshape(batch, -1, 2, self.bins, 2) * (1 / 0.34)
        x = x * (x.square().sum(-1, keepdim=True) + 1e-8).clamp(max=1e4).pow(0.5 * (1 / 0.65 - 1))
        waves = torch.fft.irfft(torch.view_as_complex(x.contiguous()).transpose(1, 2)) * self.window
        count = waves.shape[2]
        waves = waves.reshape(batch * 2, count, self.fft).transpose(1, 2) / (0.375 * self.fft / self.hop)
        length = (count - 1) * self.hop + self.fft
        sound = F.fold(waves, (1, length), (1, self.fft), stride=(1, self.hop)).reshape(batch, 2, length)
        sound = sound[:, :, self.fft - self.hop:]
        return torch.stack([sound[:, 0] + sound[:, 1], sound[:, 0] - sound[:, 1]], 1), divergence


def mel_filters(bands, size, rate=48_000):
    def mel(f):
        return f * 3 / 200 if f < 1000 else 15 + 27 * math.log(f / 1000) / math.log(6.4)

    def hertz(m):
        return m * 200 / 3 if m < 15 else 1000 * math.exp((m - 15) / 27 * math.log(6.4))

    edges = [hertz(mel(rate / 2) * i / (bands + 1)) for i in range(bands + 2)]
    f = torch.arange(size // 2 + 1) * rate / size
    rows = []
    for left, centre, right in zip(edges, edges[1:], edges[2:]):
        height = torch.minimum((f - left) / (centre - left), (right - f) / (right - centre)).clamp(min=0)
        rows.append(height * 2 / (right - left) * rate / size)
    return torch.stack(rows)


class CodecLoss(nn.Module):
    def __init__(self, sizes=(2048, 512)):
        super().__init__()
        self.sizes = sizes
        for size in sizes:
            self.register_buffer(f"window{size}", torch.hann_window(size))
            self.register_buffer(f"mel{size}", mel_filters(80 if size >= 2048 else 40, size))

    def forward(self, output, target):
        stft = mel = 0
        for size in self.sizes:
            window, filters = getattr(self, f"window{size}"), getattr(self, f"mel{size}")

            def magnitude(x):
                spectrum = torch.stft(x, size, size // 4, window=window, center=False, return_complex=True)
                return (torch.view_as_real(spectrum).square().sum(-1) + 1e-9).sqrt().transpose(1, 2)

            a, b = magnitude(output), magnitude(target)
            stft = stft + ((a - b).square().sum() / (b.square().sum() + 1e-3)).sqrt()
            stft = stft + ((a + 1e-3).log() - (b + 1e-3).log()).abs().mean()
            mel = mel + ((a @ filters.T).clamp(min=1e-4).log() - (b @ filters.T).clamp(min=1e-4).log()).abs().mean()
        count = len(self.sizes)
        return 0.3 * stft / count + 0.5 * mel / count + 12 * (output - target).abs().mean()


class Attention(nn.Module):
    def __init__(self, width, heads, window, sinks, length):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.enter, self.leave = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.sink_keys = nn.Parameter(torch.randn(sinks, heads, self.size) * 0.02)
        self.sink_values = nn.Parameter(torch.zeros(sinks, heads, self.size))
        distance = torch.arange(length)[:, None] - torch.arange(length)[None]
        seen = (distance >= 0) & (distance < window)
        self.register_buffer("mask", torch.cat([torch.ones(length, sinks, dtype=torch.bool), seen], 1))
        half = self.size // 2
        frequency = 10_000.0 ** (-torch.arange(half) / half)
        frequency[half * 3 // 4:] = 0
        angle = torch.arange(length)[:, None] * frequency
        self.register_buffer("cos", angle.cos()[None, :, None])
        self.register_buffer("sin", angle.sin()[None, :, None])

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, a * self.sin + b * self.cos], -1)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.enter(x).reshape(batch, length, 3, self.heads, self.size).unbind(2)
        q, k = self.turn(q), self.turn(k)
        sink = (batch, -1, -1, -1)
        k = torch.cat([self.sink_keys.to(k.dtype).expand(sink), k], 1)
        v = torch.cat([self.sink_values.to(v.dtype).expand(sink), v], 1)
        q, k, v = (t.to(v.dtype).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        return self.leave(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads, window, sinks, length):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, window, sinks, length)
        self.expand, self.contract = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class Adaptive(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Linear(width, 3 * width)
        self.expand, self.contract = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x, c):
        shift, scale, gate = self.modulation(c).chunk(3, -1)
        return x + gate * self.contract(F.silu(self.expand(self.norm(x) * (1 + scale) + shift)))


class Model(nn.Module):
    def __init__(self, length, latent=64, width=256, layers=6, heads=4, window=128, sinks=4, head=384, blocks=3):
        super().__init__()
        self.enter = nn.Linear(latent, width)
        self.blocks = nn.Sequential(*[Block(width, heads, window, sinks, length) for _ in range(layers)])
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head_in, self.condition = nn.Linear(latent, head), nn.Linear(width, head)
        self.time = nn.Sequential(nn.Linear(256, head), nn.SiLU(), nn.Linear(head, head))
        self.head_blocks = nn.ModuleList([Adaptive(head) for _ in range(blocks)])
        self.head_norm = nn.LayerNorm(head, elementwise_affine=False, eps=1e-6)
        self.modulation, self.leave = nn.Linear(head, 2 * head), nn.Linear(head, latent)
        self.register_buffer("table", 1000 * 10_000.0 ** (-torch.arange(128) / 128))

    def forward(self, x, draws=4):
        inputs, target = x[:, :-1], x[:, 1:]
        level = torch.rand(*inputs.shape[:2], 1, device=x.device) * 0.5
        z = self.norm(self.blocks(self.enter(level * torch.randn_like(inputs) + (1 - level) * inputs)))
        z, target = z.reshape(-1, 1, z.shape[2]), target.reshape(-1, 1, target.shape[2])
        t = torch.sigmoid(torch.randn(z.shape[0], draws, 1, device=x.device))
        noise = torch.randn(z.shape[0], draws, target.shape[2], device=x.device)
        angle = t * self.table
        c = F.silu(self.time(torch.cat([angle.cos(), angle.sin()], -1)) + self.condition(z))
        h = self.head_in(noise + (target - noise) * t)
        for block in self.head_blocks:
            h = block(h, c)
        shift, scale = self.modulation(c).chunk(2, -1)
        velocity = self.leave(self.head_norm(h) * (1 + scale) + shift)
        return (velocity - (target - noise)).square().mean()


def main():
    what, steps, threads, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if what == "codec":
        network, loss = Codec().to(device), CodecLoss().to(device)
        data = [torch.randn(8, 2, 46_080, device=device) * 0.1 for _ in range(4)]
        heard = (46_080 - 1440) // 2048 * 2048

        def objective(audio):
            output, divergence = network(audio)
            a, b = (x[:, :, :heard].reshape(16, heard).float() for x in (output, audio))
            return loss(a, b) + 3e-4 * divergence
    else:
        network = Model(384).to(device)
        data = [torch.randn(8, 385, 64, device=device) for _ in range(4)]

        def objective(latents):
            return network(latents)

    parameters = sum(p.numel() for p in network.parameters())
    if "--compile" in sys.argv:
        network.compile()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    shadow = [p.detach().clone() for p in network.parameters()]
    times = []
    for step in range(steps):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled="--f32" not in sys.argv):
            value = objective(data[step % len(data)])
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        torch._foreach_lerp_(shadow, list(network.parameters()), 0.002)
        if not math.isfinite(value.item()):
            sys.exit("the loss is not finite")
        times.append(time.perf_counter() - began)
    print(f"{statistics.median(times[5:]):.5f} {parameters}")


if __name__ == "__main__":
    main()
