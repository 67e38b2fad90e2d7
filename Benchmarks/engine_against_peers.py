"""Runs `legato bench` and its peers in turn and prints one table; started by engine-against-peers.sh.

  python3 engine_against_peers.py LEGATO [--quick] [--rounds N] [--threads 1,2] [--json FILE]

Every measurement is a process of its own. A ratio is the peer's time ÷ Legato's, of medians over the rounds; where both were
measured warm and cold, the smaller of the two ratios.
"""
import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

FORMATS = ("f32", "bf16", "int8", "int4")
MODEL = ("backbone", "sampler")


def measurements(quick):
    """(what runs, its arguments): those of Legato and those of the peers."""
    formats = ("int8", "int4") if quick else FORMATS
    legato = [("cam-150m", weights, steps) for steps in (1, 16) for weights in formats]
    legato += [("pocket-tts", weights, 1) for weights in (("int8",) if quick else ("f32", "int8"))]
    legato += [("small", weights, 1) for weights in ("f32", "bf16", "int8")]
    peers = [("cam-150m", weights) for weights in ("f32", "bf16", "int8")]
    peers += [("pocket-tts", weights) for weights in ("f32", "int8", "int8-all")]
    return legato, peers + [("codec", "f32"), ("mimi", "f32")]


def run(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0 and lines:
        # A report may also be laid out over many lines.
        return json.loads(lines[-1] if lines[-1].endswith("}") else done.stdout[done.stdout.index("{"):])
    print(f"failed: {' '.join(map(str, command))}\n{done.stderr.strip()[-2000:]}", file=sys.stderr)
    return None


def run_legato(legato, measurement, threads):
    preset, weights, steps = measurement
    return run([legato, "bench", "--preset", preset, "--weights", weights, "--steps", str(steps), "--threads",
                str(threads), "--json"], threads)


def run_peer(measurement, threads, frames):
    network, weights = measurement
    file = "engine_in_pytorch.py" if network in ("cam-150m", "codec") else "engine_in_pocket_tts.py"
    return run([sys.executable, "-W", "ignore", Path(__file__).with_name(file), network, weights, "--threads",
                str(threads), "--frames", str(frames)], threads)


def measure(options):
    """What every process reported: {(who, measurement, threads): [report]}."""
    legato, peers = measurements(options.quick)
    reports, total = {}, options.rounds * len(options.threads) * (len(legato) + len(peers))
    turns = [turn for pair in itertools.zip_longest(legato, peers) for turn in zip(("legato", "peer"), pair) if turn[1]]
    places = itertools.product(range(options.rounds), options.threads, turns)
    for count, (_, threads, (who, measurement)) in enumerate(places, 1):
        print(f"{count}/{total} {who} {' '.join(map(str, measurement))}, threads {threads}", file=sys.stderr)
        if who == "legato":
            report = run_legato(options.legato, measurement, threads)
        else:
            report = run_peer(measurement, threads, options.frames)
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
    """Medians over the rounds of one number of threads: {"warm": seconds, "cold": seconds} or {"": seconds}."""

    def __init__(self, reports, threads):
        self.reports, self.threads = reports, threads

    def of(self, who, measurement, *path, parts=()):
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
    for own, peer, bar in (("f32", "f32", None), ("int8", "f32", 4), ("int8", "int8", None), ("int8", "int8-all", None)):
        row("pocket-tts's shape, a frame", own, times.legato("pocket-tts", own, 1, MODEL), f"pocket-tts {peer}",
            times.peer("pocket-tts", peer, "1", MODEL), bar)
    for own, bar in ("f32", 3), ("bf16", 5), ("int8", 5):
        row("codec decoder, a frame", own, times.legato("small", own, 1, ("codec",)), "PyTorch f32",
            times.peer("codec", "f32", "1", ("codec",)), bar)

    def second(times, rate):
        return {heat: value and value * rate for heat, value in times.items()}

    for own in "f32", "int8":
        row("codec decoder, 1 s of sound (another codec: 48 kHz stereo against 24 kHz mono)", own,
            second(times.legato("small", own, 1, ("codec",)), 25), "pocket-tts's Mimi f32",
            second(times.peer("mimi", "f32", "1", ("codec",)), 12.5))
    for own in "f32", "int8":
        row("codec encoder, 10 s of sound", own, times.of("legato", ("small", own, 1), "encode"), "PyTorch f32",
            times.of("peer", ("codec", "f32"), "encode"), 1)
    for own, peer in ("f32", "f32"), ("bf16", "bf16"), ("int8", "f32"), ("int8", "bf16"), ("int8", "int8"):
        row("cam-150m, prompt of 250 positions", own, times.of("legato", ("cam-150m", own, 1), "prefill"),
            f"PyTorch {peer}", times.of("peer", ("cam-150m", peer), "prefill"), 1)
    return found


def milliseconds(times):
    return " / ".join("–" if seconds is None else f"{seconds * 1000:.2f}" for seconds in times.values())


def ratio(own, peer):
    ratios = [peer[heat] / own[heat] for heat in own if own[heat] and peer.get(heat)]
    return min(ratios) if ratios else None


def table(reports, threads):
    """Lines of the table and the same as records."""
    lines = ["| what | threads | Legato | ms warm / cold | peer | ms warm / cold | peer's time ÷ Legato's | bar | met |",
             "|---|---|---|---|---|---|---|---|---|"]
    records = []

    def add(record, own, peer, value, bar, met):
        met = {None: "", True: "yes", False: "**no**"}[met]
        lines.append(f"| {record['what']} | {record['threads']} | {record['legato']} | {own} | {record['peer']} | {peer} | "
                     f"{value} | {bar} | {met} |")
        records.append(record)

    for number in threads:
        times = Times(reports, number)
        for what, own, own_times, peer, peer_times, bar in rows(times):
            value = ratio(own_times, peer_times)
            if value is None and bar is None:
                continue
            met = None if bar is None or value is None else value >= bar
            record = {"what": what, "threads": number, "legato": own, "legato_seconds": own_times, "peer": peer,
                      "peer_seconds": peer_times, "ratio": value, "bar": bar, "met": met}
            add(record, milliseconds(own_times), milliseconds(peer_times), "–" if value is None else f"{value:.2f}",
                "" if bar is None else f"≥ {bar}", met)
        for steps, weights, bar in (1, "int8", 1.25), (1, "int4", None), (16, "int8", None), (16, "int4", None):
            value = times.of("legato", ("cam-150m", weights, steps), "limit")[""]
            if value is None and bar is None:
                continue
            met = None if bar is None or value is None else value <= bar
            what = f"cam-150m, {steps} step{'s' if steps > 1 else ''}: cold time ÷ time to read its bytes"
            record = {"what": what, "threads": number, "legato": weights, "peer": "memory", "limit": value, "bar": bar,
                      "met": met}
            add(record, "", "", "–" if value is None else f"{value:.2f}", "" if bar is None else f"≤ {bar}", met)
    return lines, records


def counts(reports):
    """Parameters as both sides count them, one line a network and part; a mark where they differ."""
    names = {"cam-150m": "cam-150m", "small": "codec", "pocket-tts": "pocket-tts"}
    for preset, network in names.items():
        found = [next((get(r[0], "parameters") for (who, what, _), r in reports.items() if who == side and what[0] == name),
                      None) for side, name in (("legato", preset), ("peer", network))]
        for part in ("codec",) if preset == "small" else MODEL:
            own, peer = (get(side, part) for side in found)
            yield {"network": preset, "part": part, "legato": own, "peer": peer}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("legato")
    parser.add_argument("--quick", action="store_true", help="one round, 32 positions, fewer formats: to see that all works")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--frames", type=int, help="positions of the 256 that the peers measure")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.frames = options.frames or (32 if options.quick else 256)
    options.threads = [int(number) for number in options.threads.split(",")]

    reports = measure(options)
    lines, records = table(reports, options.threads)
    versions = {name: metadata.version(name) for name in ("torch", "pocket-tts")}
    sets = {get(r[0], "instruction_set") for (who, *_), r in reports.items() if who == "legato"} - {None}
    host = {"processor": processor(), "cores": os.cpu_count(), "instruction_set": ", ".join(sorted(sets)), **versions}
    print("\n".join(lines))
    print(f"\n{host['processor']}, {host['cores']} cores, Legato's instruction set {host['instruction_set'] or 'unknown'}, "
          f"torch {versions['torch']}, pocket-tts {versions['pocket-tts']}; medians of {options.rounds} round(s); "
          "int8 of the peers: torch.ao's dynamic quantisation.")
    same = list(counts(reports))
    for count in same:
        if count["legato"] != count["peer"]:
            print(f"Parameters of {count['network']}, {count['part']}: Legato {count['legato']}, peer {count['peer']}.")
    if options.json:
        raw = [{"who": who, "measurement": list(what), "threads": threads, "reports": found}
               for (who, what, threads), found in reports.items()]
        result = {"host": host, "rounds": options.rounds, "rows": records, "parameters": same, "measurements": raw}
        Path(options.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    missing = sum(len(group) for group in measurements(options.quick)) * len(options.threads) - len(reports)
    if missing:
        sys.exit(f"{missing} measurements are missing from the table")


if __name__ == "__main__":
    main()
