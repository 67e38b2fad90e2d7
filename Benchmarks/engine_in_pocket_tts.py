"""pocket-tts by its own code, with random weights; used by engine-against-peers.sh.

  python3 engine_in_pocket_tts.py pocket-tts f32|int8|int8-all [--threads N] [--frames N]
  python3 engine_in_pocket_tts.py mimi f32 [--threads N] [--frames N]

Prints one JSON object: seconds a frame of 80 ms of every part, warm and cold. `pocket-tts` is its language model
(backbone) and its flow head (sampler), one step, by the call that its generation makes; `mimi` the decoder of its codec,
whose attention goes through all positions since the stream's beginning. int8 is what `quantize=True` gives, attention
and feed-forward; int8-all the flow head too. Nothing is downloaded.
"""
import time

import torch
from pocket_tts.models.tts_model import TTSModel
from pocket_tts.modules import text_conditioner
from pocket_tts.modules.stateful_module import increment_steps, init_states
from pocket_tts.quantization import RECOMMENDED_CONFIG, apply_dynamic_int8
from pocket_tts.utils.config import CONFIGS_DIR, load_config

from engine_timing import WINDOW, arguments, copies, measure, parameters, positions, report, size


def build():
    """The default English model, its weights as its modules make them."""
    text_conditioner.build_tokenizer = lambda *_: None  # It would be downloaded, and no text is read here.
    config = load_config(CONFIGS_DIR / "english.yaml")
    missing = {"weights_path": None, "weights_path_without_voice_cloning": None}
    model = TTSModel._from_pydantic_config_with_weights(
        config.model_copy(update=missing), config.default_temperature, 1, None, config.default_eos_threshold)
    return model.eval()


def filled(states):
    """The states with caches as a stream leaves them: random instead of NaN."""
    for state in states.values():
        if "cache" in state:
            state["cache"].normal_()
    return states


def place(states, offset):
    for state in states.values():
        if "offset" in state:
            state["offset"].fill_(offset)


def language_model(options):
    model = build()
    del model.mimi
    flow = model.flow_lm
    counts = {"backbone": parameters(flow.input_linear, flow.transformer, flow.out_norm, flow.out_eos),
              "sampler": parameters(flow.flow_net)}
    groups = {"f32": set(), "int8": RECOMMENDED_CONFIG, "int8-all": RECOMMENDED_CONFIG | {"flow_net"}}[options.weights]
    clock = {}

    def finish(copied):
        apply_dynamic_int8(copied.flow_lm, groups)
        copied.flow_lm.flow_net.register_forward_pre_hook(lambda *_: clock.update(began=time.perf_counter()))
        copied.flow_lm.flow_net.register_forward_hook(lambda *_: clock.update(ended=time.perf_counter()))
        return copied, filled(init_states(copied.flow_lm, 1, WINDOW + 1))

    def frame(copied, position):
        model, states = copied
        place(states, position)
        began = time.perf_counter()
        model._run_flow_lm_and_increment_step(model_state=states, backbone_input_latents=latent)
        whole = time.perf_counter() - began
        sampler = clock["ended"] - clock["began"]
        return {"backbone": whole - sampler, "sampler": sampler}

    with torch.inference_mode():
        latent = torch.randn(1, 1, 32)
        made = copies(model, finish)
        runs = {"1": measure(frame, made, positions(options.frames))}
    report(options, parameters=counts, bytes=size(made[0]), copies=len(made), runs=runs)


def mimi(options):
    model = build()
    mean, deviation, codec = model.flow_lm.emb_mean, model.flow_lm.emb_std, model.mimi
    del codec.encoder, codec.encoder_transformer, codec.downsample
    steps = int(codec.encoder_frame_rate / codec.frame_rate)

    def finish(copied):
        return copied, filled(init_states(copied, 1, WINDOW * steps))

    def frame(copied, position):
        codec, states = copied
        place(states, position * steps)
        began = time.perf_counter()
        codec.decode_from_latent(latent * deviation + mean, states)
        increment_steps(codec, states, increment=steps)
        return {"codec": time.perf_counter() - began}

    with torch.inference_mode():
        latent = torch.randn(1, 1, 32)
        made = copies(codec, finish)
        runs = {"1": measure(frame, made, positions(options.frames))}
    report(options, parameters={"codec": parameters(codec)}, bytes=size(made[0]), copies=len(made), runs=runs)


if __name__ == "__main__":
    options = arguments(["pocket-tts", "mimi"], ["f32", "int8", "int8-all"])
    if options.network == "pocket-tts":
        language_model(options)
    elif options.weights == "f32":
        mimi(options)
    else:
        raise SystemExit("pocket-tts has no quantisation of its codec")
