"""Runs `legato bench` and its peers in turn and prints one table; started by engine-against-peers.sh.

  python3 engine_against_peers.py LEGATO [--quick] [--only NETWORK] [--rounds N] [--threads 1,2] [--json FILE]

Every measurement is a process of its own. A ratio is the peer's time ÷ Legato's, of medians over the rounds; of the warm
and the cold one the smaller counts.
"""
import argparse
import itertools
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

FORMATS = ("f32", "bf16", "int8", "int4")
MODEL = ("backbone", "sampler")
# Every preset of this size or more has the same codec; its times come with the smallest of them.
PRESETS = {"codec": "small"}


def plan(quick, only):
    """What is measured, (who, (network, weights, ...)): Legato's and its peers' by turns."""
    formats = ("int8", "int4") if quick else FORMATS
    legato = [("cam-150m", weights, steps) for steps in (1, 16) for weights in formats]
    legato += [("pocket-tts", weights, 1) for weights in (("int8",) if quick else ("f32", "int8"))]
    legato += [("codec", weights, 1) for weights in ("f32", "bf16", "int8")]
    peers = [("cam-150m", weights) for weights in ("f32", "bf16", "int8")]
    peers += [("pocket-tts", weights) for weights in ("f32", "int8", "int8-all")]
    peers += [("codec", "f32"), ("mimi", "f32")]
    kinds = {"mimi": "codec"}
    pairs = itertools.zip_longest(
        *([m for m in side if only in (None, kinds.get(m[0], m[0]))] for side in (legato, peers)))
    return [turn for pair in pairs for turn in zip(("legato", "peer"), pair) if turn[1]]


def run(command, threads):
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    begin = done.stdout.find("{")
    if done.returncode == 0 and begin >= 0:
        return json.JSONDecoder().raw_decode(done.stdout[begin:])[0]
    print(f"failed: {' '.join(map(str, command))}\n{done.stderr.strip()[-2000:]}", file=sys.stderr)
    return None


def run_legato(legato, measurement, threads):
    network, weights, steps = measurement
    return run([legato, "bench", "--listen", "0", "--preset", PRESETS.get(network, network), "--weights", weights, "--steps", str(steps),
                "--threads", str(threads), "--rounds", "1", "--json"], threads)


def run_peer(measurement, threads, frames):
    network, weights = measurement
    file = "engine_in_pytorch.py" if network in ("cam-150m", "codec") else "engine_in_pocket_tts.py"
    return run([sys.executable, "-B", "-W", "ignore", Path(__file__).with_name(file), network, weights, "--threads",
                str(threads), "--frames", str(frames)], threads)


def measure(options):
    """What every process reported: {(who, measurement, threads): [report]}. Stopped early, what there was until then."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reports, total = {}, options.rounds * len(options.threads) * len(options.plan)
    turns = itertools.product(range(options.rounds), options.threads, options.plan)
    for count, (_, threads, (who, measurement)) in enumerate(turns, 1):
        print(f"{count}/{total} {who} {' '.join(map(str, measurement))}, threads {threads}", file=sys.stderr)
        try:
            if who == "legato":
                report = run_legato(options.legato, measurement, threads)
            else:
                report = run_peer(measurement, threads, options.frames)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            break
        if report:
            reports.setdefault((who, measurement, threads), []).append(report)
    return reports


def get(report, *path):
    for key in path:
        report = report.get(key) if isinstance(report, dict) else None
    return report


def median(values):
    values = [value for value in values if isinstance(value, (int, float))]
    return statistics.median(values) if values else None


class Times:
    """Medians over the rounds of one number of threads: {"warm": seconds, "cold": seconds} or {"": seconds}.

    None stands for what could not be measured; {} says that it was not planned.
    """

    def __init__(self, plan, reports, threads):
        self.plan, self.reports, self.threads = plan, reports, threads

    def of(self, who, measurement, *path, parts=()):
        if (who, measurement) not in self.plan:
            return {}
        rounds = self.reports.get((who, measurement, self.threads), [])
        if not parts:
            return {"": median(get(report, *path) for report in rounds)}
        result = {}
        for heat in ("warm", "cold"):
            sums = [[get(report, *path, heat, part) for part in parts] for report in rounds]
            result[heat] = median(sum(values) for values in sums if None not in values)
        return result

    def legato(self, preset, weights, steps, parts):
        return self.of("legato", (preset, weights, steps), parts=parts)

    def peer(self, network, weights, run, parts):
        return self.of("peer", (network, weights), "runs", run, parts=parts)


def rows(times):
    """(what, Legato's name, its times, the peer's name, its times, the bar), in the order of the table."""
    found = []

    def row(what, own, own_times, peer, peer_times, bar=None):
        found.append((what, own, own_times, peer, peer_times, bar))

    for steps, bars in (1, (3.2, 1.7, 5.5)), (16, (3, 1.6, 5)):
        what = f"cam-150m, {steps} step{'s' if steps > 1 else ''}, a frame"
        # The second way is what Legato does too: the sampler's modulations of all steps in one product.
        for run in ["1"] if steps == 1 else ["16", "16 at once"]:
            note = ", modulations at once" if run.endswith("at once") else ""
            pairs = (("f32", "f32", None), ("bf16", "bf16", None), ("int8", "f32", bars[0]), ("int8", "int8", bars[1]),
                     ("int4", "f32", bars[2]))
            for own, peer, bar in pairs:
                row(what, own, times.legato("cam-150m", own, steps, MODEL), f"PyTorch {peer}{note}",
                    times.peer("cam-150m", peer, run, MODEL), bar)
    pairs = (("f32", "f32", None), ("int8", "f32", 4), ("int8", "int8", None), ("int8", "int8-all", None))
    for own, peer, bar in pairs:
        row("pocket-tts's shape, a frame", own, times.legato("pocket-tts", own, 1, MODEL), f"pocket-tts {peer}",
            times.peer("pocket-tts", peer, "1", MODEL), bar)
    decoder = times.peer("codec", "f32", "1", ("codec",))
    decoders = {own: times.legato("codec", own, 1, ("codec",)) for own in ("f32", "bf16", "int8")}
    # The bar of 5 is for one of the small formats, the better one.
    better = max(("int8", "bf16"), key=lambda own: ratio(decoders[own], decoder) or 0)
    for own, own_times in decoders.items():
        row("codec decoder, a frame", own, own_times, "PyTorch f32", decoder, {"f32": 3, better: 5}.get(own))

    def second(times, rate):
        return {heat: value and value * rate for heat, value in times.items()}

    for own in "f32", "int8":
        row("codec decoder, 1 s of sound (another codec: 48 kHz stereo against 24 kHz mono)", own,
            second(decoders[own], 25), "pocket-tts's Mimi f32",
            second(times.peer("mimi", "f32", "1", ("codec",)), 12.5))
    for own in "f32", "int8":
        row("codec encoder, 10 s of sound", own, times.of("legato", ("codec", own, 1), "encode"), "PyTorch f32",
            times.of("peer", ("codec", "f32"), "encode"), 1)
    for own, peer in ("f32", "f32"), ("bf16", "bf16"), ("int8", "f32"), ("int8", "bf16"), ("int8", "int8"):
        row("cam-150m, prompt of 250 positions", own, times.of("legato", ("cam-150m", own, 1), "prefill"),
            f"PyTorch {peer}", times.of("peer", ("cam-150m", peer), "prefill"), 1)
    return found


def milliseconds(times):
    return " / ".join("–" if seconds is None else f"{seconds * 1000:.2f}" for seconds in times.values())


def ratio(own, peer):
    """The smaller one of warm and cold; None unless all were measured."""
    complete = own and peer and all(own.values()) and all(peer.values())
    return min(peer[heat] / own[heat] for heat in own) if complete else None


def table(options, reports):
    """Lines of the table and the same as records."""
    lines = ["| what | threads | Legato | ms warm / cold | peer | ms warm / cold | peer's time ÷ Legato's | bar | met |",
             "|---|---|---|---|---|---|---|---|---|"]
    records = []

    def add(record, own, peer, value, bar, met):
        value = "–" if value is None else f"{value:.2f}"
        word = "" if not bar else {None: "not measured", True: "yes", False: "**no**"}[met]
        lines.append(f"| {record['what']} | {record['threads']} | {record['legato']} | {own} | {record['peer']} | {peer} | "
                     f"{value} | {bar} | {word} |")
        records.append({**record, "met": met})

    for number in options.threads:
        times = Times(options.plan, reports, number)
        for what, own, own_times, peer, peer_times, bar in rows(times):
            if not own_times or not peer_times:
                continue
            value = ratio(own_times, peer_times)
            record = {"what": what, "threads": number, "legato": own, "legato_seconds": own_times, "peer": peer,
                      "peer_seconds": peer_times, "ratio": value, "bar": bar}
            add(record, milliseconds(own_times), milliseconds(peer_times), value, f"≥ {bar}" if bar else "",
                None if bar is None or value is None else value >= bar)
        for steps, weights, bar in (1, "int8", 1.25), (1, "int4", None), (16, "int8", None), (16, "int4", None):
            limit = times.of("legato", ("cam-150m", weights, steps), "limit")
            if not limit:
                continue
            what = f"cam-150m, {steps} step{'s' if steps > 1 else ''}: time ÷ time to read its bytes"
            record = {"what": what, "threads": number, "legato": weights, "peer": "memory", "limit": limit[""],
                      "bar": bar}
            add(record, "", "", limit[""], f"≤ {bar}" if bar else "",
                None if bar is None or limit[""] is None else limit[""] <= bar)
    return lines, records


def counts(reports):
    """Parameters as both sides count them, one record a network and part."""
    for network in "cam-150m", "codec", "pocket-tts":
        found = {who: get(rounds[0], "parameters") for (who, what, _), rounds in reports.items() if what[0] == network}
        for part in ("codec",) if network == "codec" else MODEL:
            own, peer = (get(found.get(who), part) for who in ("legato", "peer"))
            if own or peer:
                yield {"network": network, "part": part, "legato": own, "peer": peer}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("legato")
    parser.add_argument("--quick", action="store_true", help="one round, 32 positions, fewer formats")
    parser.add_argument("--only", choices=["cam-150m", "pocket-tts", "codec"])
    parser.add_argument("--rounds", type=int, help="default 3")
    parser.add_argument("--frames", type=int, help="positions of the 256 that the peers measure")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.frames = options.frames or (32 if options.quick else 256)
    options.threads = [int(number) for number in options.threads.split(",")]
    options.plan = plan(options.quick, options.only)

    reports = measure(options)
    lines, records = table(options, reports)
    versions = {name: metadata.version(name) for name in ("torch", "pocket-tts")}
    sets = {get(r[0], "instruction_set") for (who, *_), r in reports.items() if who == "legato"} - {None}
    host = {"processor": processor(), "cores": os.cpu_count(), "instruction_set": ", ".join(sorted(sets)), **versions}
    print("\n".join(lines))
    print(f"\n{host['processor']}, {host['cores']} cores, Legato's instruction set "
          f"{host['instruction_set'] or 'unknown'}, torch {versions['torch']}, pocket-tts {versions['pocket-tts']}; "
          f"medians of {options.rounds} round(s); int8 of the peers: torch.ao's dynamic quantisation.")
    same = list(counts(reports))
    for count in same:
        if None not in (count["legato"], count["peer"]) and count["legato"] != count["peer"]:
            print(f"Parameters of {count['network']}, {count['part']}: Legato {count['legato']}, peer {count['peer']}.")
    if options.json:
        raw = [{"who": who, "measurement": list(what), "threads": threads, "reports": found}
               for (who, what, threads), found in reports.items()]
        result = {"host": host, "rounds": options.rounds, "rows": records, "parameters": same, "measurements": raw}
        Path(options.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    missing = len(options.plan) * len(options.threads) - len(reports)
    if missing:
        sys.exit(f"{missing} measurements are missing from the table")


if __name__ == "__main__":
    main()
