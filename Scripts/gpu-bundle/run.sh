#!/usr/bin/env bash
# Trains a codec and a model on a machine with a CUDA GPU that has neither Swift nor a network. It needs a C++
# compiler and a Python that holds torch 2.11 to 2.13; everything else is in this folder.
#
#   ./run.sh check   [options]      says whether this place and this machine will do
#   ./run.sh start   [options]      begins in the background, and outlives the shell that began it
#   ./run.sh status                 what it is doing
#   ./run.sh wait    [seconds]      waits until it ends; exit code 2 where it still works
#   ./run.sh stop                   ends it cleanly, with the weights it has
#   ./run.sh collect [folder]       the results in parts below 16 MB, with checksums and join.sh
#
# Options of check and start; a file of them, one a line without the dashes, is given with --plan FILE:
#   --minutes 25              from the start until the weights are there, all included
#   --hours 8                 of music to compose and render on all cores
#   --maximum-minutes 10      how long pieces get; they last a minute at least
#   --instruments "0 73"      General MIDI programs (default: all that the font here was cut to)
#   --corpus FOLDER           train on these recordings instead
#   --codec RECIPE            (default: Recipes/small-codec.yaml)
#   --model RECIPE            (default: Recipes/small-model.yaml); none trains a codec alone
#   --codec-share 0.5         of the time for training; 0 takes the codec that is there
#   --codec-package FOLDER    use this codec, and train none
#   --from-codec, --from-model FOLDER    start from these weights
#   --set-codec, --set-model KEY=VALUE   change a recipe; may be repeated
#   --device cuda             cuda, cuda:N, or cpu (to rehearse)
#   --seed 1                  of music and training
#   --threads N               for rendering and preparing (default: all cores)
#   --work FOLDER             where everything is kept (default: work, beside run.sh); the other commands take it too
#
# Options of collect:
#   --only codec|model        a part of the results
#   --with-checkpoints        what `start` goes on from: unpacked over an empty work folder elsewhere
#   --with-samples            the sound files written while training
#   --part-megabytes 15       how large a part is
#   --parts 0-3               only these parts of what was collected before, where not all may travel at once
#
# Started again with the same options it goes on where it was.
# TORCH_DIR names the folder of the torch package, PYTHON the Python that holds it, CXX the compiler.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
legato_program=$here/legato
say() { printf '%s\n' "$*"; }
fail() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set -euo/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }

# Options, as `start` was given them and as the work in the background reads them.
minutes=25 hours=8 maximum_minutes=10 instruments='' corpus='' codec=Recipes/small-codec.yaml model=Recipes/small-model.yaml
codec_share=0.5 codec_package='' from_codec='' from_model='' set_codec=() set_model=()
device=cuda seed=1 threads='' work=${LEGATO_WORK:-$here/work}

is_number() { [[ $1 =~ ^[0-9]+([.][0-9]+)?$ ]]; }
calculate() { awk "BEGIN { $1 }"; }
holds() { awk "BEGIN { exit !($1) }"; }

read_options() {
  local name value line
  while [ $# -gt 0 ]; do
    name=$1
    case $name in -h | --help) usage; exit 0 ;; esac
    [ $# -ge 2 ] || fail "$name needs a value. ./run.sh --help lists the options"
    value=$2
    shift 2
    case $name in
      --minutes) minutes=$value ;;
      --hours) hours=$value ;;
      --maximum-minutes) maximum_minutes=$value ;;
      --instruments) instruments=$value ;;
      --corpus) corpus=$(absolute "$value") ;;
      --codec) codec=$value ;;
      --model) model=$value ;;
      --codec-share) codec_share=$value ;;
      --codec-package) codec_package=$(absolute "$value") ;;
      --from-codec) from_codec=$(absolute "$value") ;;
      --from-model) from_model=$(absolute "$value") ;;
      --set-codec) set_codec+=("$value") ;;
      --set-model) set_model+=("$value") ;;
      --device) device=$value ;;
      --seed) seed=$value ;;
      --threads) threads=$value ;;
      --work) work=$(absolute "$value") ;;
      --plan)
        [ -f "$value" ] || fail "--plan $value does not exist"
        while read -r name line; do
          case $name in '' | '#'*) continue ;; esac
          read_options "--$name" "$line"
        done <"$value" ;;
      *) fail "unknown option $name. ./run.sh --help lists the options" ;;
    esac
  done
}

absolute() { case $1 in /*) say "$1" ;; *) say "$PWD/$1" ;; esac; }

recipe_path() {
  local candidate
  for candidate in "$1" "$here/$1"; do
    if [ -f "$candidate" ]; then absolute "$candidate"; return; fi
  done
  fail "the recipe $1 does not exist. The folder Recipes holds: $(cd "$here/Recipes" && ls | tr '\n' ' ')"
}

cores() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN; }
legato() { LC_ALL=C LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$legato_program" "$@"; }

# MARK: Place and machine

python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python; do
    if command -v "$candidate" >/dev/null; then "$candidate" "$@"; return; fi
  done
  fail "no Python found. It is needed to find torch; PYTHON=/path/to/python3 names one that holds torch"
}

torch_folder() {
  if [ -n "${TORCH_DIR:-}" ]; then say "$TORCH_DIR"; return; fi
  # Without importing it, which takes seconds and needs its dependencies.
  python -c 'import importlib.util as u; s = u.find_spec("torch"); print(list(s.submodule_search_locations)[0] if s else "")'
}

check_place() {
  local problem
  problem="Unpack the whole archive again (tar -xf gpu-bundle.tar.xz, or python3 -m tarfile -e gpu-bundle.tar.xz) and start run.sh in the folder that it makes"
  [ -f "$here/SHA256SUMS" ] || fail "$here is not the bundle's folder: run.sh alone does nothing. $problem"
  (cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null 2>"${TMPDIR:-/tmp}/legato-sums.$$" || {
    local first
    first=$( (cd "$here" && sha256sum --check SHA256SUMS 2>/dev/null || true) | grep -v ': OK$' | head -n 1)
    rm -f "${TMPDIR:-/tmp}/legato-sums.$$"
    fail "the bundle in $here is damaged or not whole (${first:-its checksums cannot be read}). $problem"
  }
  rm -f "${TMPDIR:-/tmp}/legato-sums.$$"
  local built=x86_64
  [ -f "$here/bundle.conf" ] && built=$(sed -n 's/^architecture=//p' "$here/bundle.conf")
  [ "$(uname -s)-$(uname -m)" = "Linux-$built" ] ||
    fail "this machine is $(uname -s) on $(uname -m); the bundle was made for Linux on $built"
  mkdir -p "$work" 2>/dev/null && : 2>/dev/null >"$work/.writable" ||
    fail "cannot write to $work. Unpack the bundle where you may write, or name a folder with --work"
  rm -f "$work/.writable"
  chmod +x "$legato_program" 2>/dev/null || true
  local answer
  if ! answer=$(legato --version 2>&1); then
    fail "the program $legato_program does not run here ($(tail -n 1 <<<"$answer")). A folder mounted noexec or a C library older than the one it was made with ($(sed -n 's/^libc=//p' "$here/bundle.conf")) are the usual reasons"
  fi
  local missing
  missing=$(for library in "$here"/lib/*.so*; do LD_LIBRARY_PATH="$here/lib" ldd "$library" 2>/dev/null || true; done |
    awk '/not found/ { print $1 }' | sort -u | tr '\n' ' ')
  [ -z "$missing" ] || fail "libraries are missing: $missing. libgomp and libstdc++ come with g++: apt-get install g++"
}

check_machine() {
  command -v "${CXX:-g++}" >/dev/null || command -v clang++ >/dev/null ||
    fail "no C++ compiler. The plug-in is compiled against this machine's torch: install g++ (apt-get install g++), or name one with CXX"
  torch=$(torch_folder)
  [ -n "$torch" ] ||
    fail "the Python $(command -v "${PYTHON:-python3}") holds no torch. PYTHON=... names another Python, TORCH_DIR=... the folder of the package"
  [ -d "$torch/lib" ] || fail "$torch holds no libtorch (no folder lib). TORCH_DIR must name the folder of the torch package"
  case $device in
    cpu) ;;
    cuda | cuda:[0-9]*)
      if ! { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; } &&
        ! compgen -G '/dev/nvidia[0-9]*' >/dev/null && ! [ -e /proc/driver/nvidia/version ]; then
        fail "this machine has no NVIDIA GPU that can be seen (no nvidia-smi, no /dev/nvidia0). In a container, start it with the GPU (docker run --gpus all); --device cpu rehearses without one"
      fi
      [ -e "$torch/lib/libtorch_cuda.so" ] ||
        fail "the torch in $torch is a build without CUDA (no libtorch_cuda.so). Name a CUDA build with TORCH_DIR or PYTHON, or use --device cpu" ;;
    *) fail "--device is $device; it must be cuda, cuda:N or cpu" ;;
  esac
}

check_options() {
  local name recipe
  for name in minutes hours maximum_minutes codec_share seed; do
    is_number "${!name}" || fail "--${name//_/-} is '${!name}'; it must be a number"
  done
  holds "$minutes > 0" || fail "--minutes is $minutes; it must be above 0"
  holds "$codec_share <= 1" || fail "--codec-share is $codec_share; it must be from 0 to 1"
  if [ "$model" != none ]; then recipe=$(recipe_path "$model") || exit 1; model=$recipe; fi
  if [ -z "$codec_package" ]; then recipe=$(recipe_path "$codec") || exit 1; codec=$recipe; fi
  for name in codec_package from_codec from_model corpus; do
    [ -z "${!name}" ] || [ -e "${!name}" ] || fail "--${name//_/-} ${!name} does not exist"
  done
  if [ "$model" = none ] && [ -n "$codec_package" ]; then fail "--model none with --codec-package leaves nothing to train"; fi
  [ -n "$threads" ] || threads=$(cores)
}

check_space() {
  # Sixteen bits, two channels, 48 kHz; and what checkpoints, latents and samples take.
  local need free
  need=$(calculate "printf \"%.0f\", ($([ -n "$corpus" ] && echo 0 || echo "$hours") * 0.7 + 2) * 1000000")
  free=$(df -Pk "$work" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$need" ] ||
    fail "$work has $((free / 1000000)) GB free; $hours hours of music and their training take about $((need / 1000000)) GB. Name a larger place with --work, or fewer --hours"
}

check() { check_place; check_options; check_machine; check_space; }

# MARK: The work in the background

now() { date +%s; }
stage() { say "$*" >"$work/stage"; say "== $(date '+%H:%M:%S') $*"; }
left() { say $((deadline - $(now))); }

# Weights are worth more than the last seconds: evaluation, samples and writing come after the time limit.
training_seconds() {
  local share=$1 available
  available=$(left)
  calculate "s = $available * $share; r = s * 0.1; if (r > 60) r = 60; printf \"%d\", s - r"
}

train() {
  local kind=$1 recipe=$2 seconds=$3
  shift 3
  if [ "$seconds" -lt 5 ]; then
    fail "no time is left to train the $kind: $minutes minutes were for everything. Start again with more --minutes (what is rendered is kept), or fewer --hours"
  fi
  stage "training the $kind for $seconds seconds"
  LEGATO_TORCH_PLUGIN=$here/.tools/torch-plugin/liblegato_torch.so legato train "$recipe" --output "runs/$kind" \
    --device "$device" --seed "$seed" --time-limit "$seconds" "$@"
}

# In the folder $work, with paths that mean the same in another one: a run goes on only with the recipe it began with.
work_through() {
  deadline=$(calculate "printf \"%.0f\", $(now) + $minutes * 60")
  local options=() setting source package=$codec_package
  stage "compiling the plug-in"
  TORCH_DIR=$torch "$here/Plugins/Torch/setup.sh"

  source=$corpus
  if [ -z "$source" ]; then
    source=corpus
    stage "rendering $hours hours of music on $threads threads"
    local font
    font=$(unpack_font) || exit 1
    for setting in ${instruments:-$(sed -n 's/^instruments=//p' "$here/bundle.conf")}; do options+=(--instrument "$setting"); done
    legato corpus --hours "$hours" --maximum-minutes "$maximum_minutes" --seed "$seed" --sound-font "$font" --threads "$threads" --output "$source" "${options[@]}"
  fi

  if [ -z "$package" ]; then
    package=runs/codec/package
    if holds "$codec_share > 0"; then
      options=(--set "data.corpus=$source")
      [ -z "$from_codec" ] || options+=(--from "$from_codec")
      for setting in ${set_codec[@]+"${set_codec[@]}"}; do options+=(--set "$setting"); done
      train codec "$codec" "$(training_seconds "$([ "$model" = none ] && echo 1 || echo "$codec_share")")" "${options[@]}"
    elif [ ! -d "$package" ]; then
      fail "--codec-share 0 takes the codec that is there, but $work/$package does not exist. Name one with --codec-package"
    fi
  fi

  if [ "$model" != none ]; then
    stage "preparing latents on $threads threads"
    legato prepare "$source" --codec "$package" --output latents --threads "$threads"
    # Settings are found on a CPU, at home and at leisure: `legato tune`.
    options=(--set data.latents=latents --set model.generation.tune=false)
    [ -z "$from_model" ] || options+=(--from "$from_model")
    for setting in ${set_model[@]+"${set_model[@]}"}; do options+=(--set "$setting"); done
    train model "$model" "$(training_seconds 1)" "${options[@]}"
  fi
}

unpack_font() {
  local packed font
  packed=$(compgen -G "$here/*.sf2.xz" | head -n 1) || true
  [ -n "$packed" ] || fail "this bundle holds no sound font. Name recordings with --corpus"
  font=$work/$(basename "${packed%.xz}")
  if [ ! -f "$font" ]; then
    if command -v xz >/dev/null; then xz -dc "$packed" >"$font.new"; else
      python -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$packed" "$font.new"
    fi
    mv "$font.new" "$font"
  fi
  say "$font"
}

# What `start` leaves running, in a session of its own.
background() {
  # shellcheck disable=SC1090
  source "$1"
  say $$ >"$work/pid"
  cd "$work"
  # In a shell of its own, so that any failure ends it; `if` would switch that off.
  set +e
  (set -e; work_through) &
  local worker=$!
  trap 'touch "$work/stopping"; interrupt "$worker"' TERM INT
  wait "$worker"; local code=$?
  # A signal ends the first wait; the clean end of what runs is waited for.
  while kill -0 "$worker" 2>/dev/null; do wait "$worker"; code=$?; done
  if [ -e "$work/stopping" ]; then
    say "stopped" >"$work/result"
  elif [ "$code" = 0 ]; then
    say "done" >"$work/result"
  else
    local reason
    reason=$(tail -n 50 "$work/log.txt" | tr '\r' '\n' | grep -E '^(legato|run\.sh|Plugins/Torch/setup\.sh|Error): ' | tail -n 1) || true
    say "failed while $(cat "$work/stage"): ${reason:-exit code $code, see $work/log.txt}" >"$work/result"
  fi
  say "== $(date '+%H:%M:%S') $(cat "$work/result")"
}

# Asks the program at work to end cleanly; the shell that waits for it then ends by itself.
interrupt() {
  local child children
  children=$(awk -v parent="$1" '$4 == parent { print $1 }' /proc/[0-9]*/stat 2>/dev/null) || true
  for child in $children; do interrupt "$child"; done
  [ -n "$children" ] || kill -TERM "$1" 2>/dev/null || true
}

# MARK: What a person calls

is_running() { [ -f "$work/pid" ] && [ ! -f "$work/result" ] && kill -0 "$(cat "$work/pid")" 2>/dev/null; }

start() {
  read_options "$@"
  check
  is_running && fail "already at work ($(cat "$work/stage")). ./run.sh status tells more, ./run.sh stop ends it"
  rm -f "$work/result" "$work/stopping" "$work/pid"
  say "starting" >"$work/stage"
  declare -p minutes hours maximum_minutes instruments corpus codec model codec_share codec_package from_codec from_model set_codec \
    set_model device seed threads work torch >"$work/options"
  setsid nohup bash "$here/run.sh" background "$work/options" </dev/null >>"$work/log.txt" 2>&1 &
  for _ in 1 2 3 4 5 6 7 8 9 10; do [ -f "$work/pid" ] || sleep 0.5; done
  say "at work in the background for $minutes minutes; log: $work/log.txt"
  say "next: ./run.sh status, ./run.sh wait, ./run.sh collect"
}

status() {
  [ -f "$work/stage" ] || fail "nothing was started in $work. ./run.sh start begins"
  local run last
  if is_running; then say "at work: $(cat "$work/stage")"
  elif [ -f "$work/result" ]; then cat "$work/result"
  else say "failed while $(cat "$work/stage"): killed from outside; ./run.sh start with the same options goes on"; fi
  for run in codec model; do
    last=$(tail -n 1 "$work/runs/$run/progress.jsonl" 2>/dev/null) || continue
    [ -z "$last" ] || say "$run: $last"
  done
  if [ -f "$work/corpus/manifest.jsonl" ]; then say "corpus: $(wc -l <"$work/corpus/manifest.jsonl") pieces"; fi
  say "log: $(tail -c 2000 "$work/log.txt" 2>/dev/null | tr '\r' '\n' | grep -v '^ *$' | tail -n 1)"
  if command -v nvidia-smi >/dev/null; then
    say "gpu: $(nvidia-smi --query-gpu=utilization.gpu,memory.used,memory.total --format=csv,noheader 2>/dev/null | head -n 1)"
  fi
  is_running || grep -qE '^(done|stopped)' "$work/result" 2>/dev/null
}

wait_for_it() {
  local until=$(($(now) + ${1:-2147483647}))
  [ -f "$work/stage" ] || fail "nothing was started in $work. ./run.sh start begins"
  while is_running; do
    if [ "$(now)" -ge "$until" ]; then status; return 2; fi
    sleep 1
  done
  status
}

stop() {
  is_running || fail "nothing is at work in $work"
  kill -TERM "$(cat "$work/pid")"
  say "ending; the package is written now. ./run.sh wait waits for it"
}

collect() {
  local folder='' only='codec model' megabytes=15 parts='' checkpoints=false samples=false kind path
  while [ $# -gt 0 ]; do
    case $1 in
      --only) only=${2:-}; shift 2 || fail "--only needs codec or model" ;;
      --part-megabytes) megabytes=${2:-}; shift 2 || fail "--part-megabytes needs a number" ;;
      --parts) parts=${2:-}; shift 2 || fail "--parts needs a range such as 0-3" ;;
      --with-checkpoints) checkpoints=true; shift ;;
      --with-samples) samples=true; shift ;;
      --work) work=$(absolute "${2:-}"); shift 2 ;;
      -*) fail "unknown option $1. ./run.sh --help lists the options" ;;
      *) folder=$1; shift ;;
    esac
  done
  [[ $megabytes =~ ^[1-9][0-9]*$ ]] || fail "--part-megabytes is '$megabytes'; it must be a whole number"
  folder=${folder:-${OUT:-$here/collected}}
  mkdir -p "$folder" || fail "cannot write to $folder"
  folder=$(cd "$folder" && pwd)
  local archive=$work/weights.tar
  if [ -z "$parts" ] || [ ! -f "$archive" ]; then
    local list=()
    for kind in $only; do
      for path in package recipe.yaml progress.jsonl; do
        [ ! -e "$work/runs/$kind/$path" ] || list+=("runs/$kind/$path")
      done
      if $samples && [ -d "$work/runs/$kind/samples" ]; then list+=("runs/$kind/samples"); fi
      if $checkpoints; then
        path=$(cd "$work" && ls -d "runs/$kind"/checkpoints/step-* 2>/dev/null | sort -V | tail -n 1)
        [ -z "$path" ] || list+=("$path")
      fi
    done
    if [ ${#list[@]} = 0 ]; then
      fail "there is nothing to collect yet: $(status 2>&1 | head -n 1). The package is written when training ends (./run.sh stop ends it now); --with-checkpoints takes what is saved until then"
    fi
    # A log that grows meanwhile is no reason to give up.
    tar -cf "$archive.new" -C "$work" "${list[@]}" log.txt options || [ $? = 1 ]
    mv "$archive.new" "$archive"
  fi
  rm -f "$folder"/weights.tar.part-* "$folder/SHA256SUMS" "$folder/join.sh"
  # 15 MB are below 16 whichever way a megabyte is counted.
  split -b "$((megabytes * 1000000))" -d -a 3 "$archive" "$folder/weights.tar.part-"
  (cd "$folder" && sha256sum weights.tar.part-* >SHA256SUMS)
  printf '%s  weights.tar\n' "$(sha256sum <"$archive" | cut -d ' ' -f 1)" >>"$folder/SHA256SUMS"
  cp "$here/join.sh" "$folder/join.sh"
  local count bytes first last number
  count=$(ls "$folder"/weights.tar.part-* | wc -l)
  bytes=$(stat -c %s "$archive")
  if [ -n "$parts" ]; then
    first=${parts%-*} last=${parts#*-}
    is_number "$first" && is_number "$last" || fail "--parts is '$parts'; it must be a range such as 0-3"
    for path in "$folder"/weights.tar.part-*; do
      number=$((10#${path##*-}))
      if [ "$number" -lt "$first" ] || [ "$number" -gt "$last" ]; then rm "$path"; fi
    done
    say "$folder: parts $parts of 0-$((count - 1))"
    return
  fi
  say "$folder: $((bytes / 1000000)) MB in $count parts. Fetch the folder, then: bash join.sh"
  if [ "$count" -gt 4 ]; then
    say "where only some files may travel at once: ./run.sh collect --parts 0-3, fetch, then --parts 4-7, and so on"
  fi
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
  check) read_options "$@"; check; say "this place and machine will do: torch in $torch, device $device, $threads threads, work in $work" ;;
  start) start "$@" ;;
  status | wait | stop)
    if [ "${1:-}" = --work ]; then work=$(absolute "${2:-}"); shift 2; fi
    case $command in status) status ;; wait) wait_for_it "$@" ;; stop) stop ;; esac ;;
  collect) collect "$@" ;;
  background) background "$@" ;;
  # For check-cuda.sh, which reads this file for its functions.
  functions) ;;
  help | -h | --help) usage ;;
  *) fail "unknown command $command. ./run.sh --help lists what there is" ;;
esac
