#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One command for a bare machine with a GPU, within nine minutes: build, test, sanitize, measure.
# It needs nvcc and a python3 with torch, pybind11, scikit-build-core, cmake, ninja, NumPy, SciPy,
# threadpoolctl, pytest and hypothesis; nothing is fetched. What a machine lacks can be brought
# along as wheels.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

usage() {
    cat << END
usage: bash benchmarks/gpu.sh [--out DIR] [--wheels DIR] [--golden DIR] [--arch ARCH]
                              [--commit NAME] [--dry-run] [STEP...]

Paths are relative to the checkout.

  --out DIR      where results and logs go, 8 files at most (default: \$OUT, or a new folder)
  --wheels DIR   wheels of packages that the machine lacks, installed first
  --golden DIR   the shared golden files, copied to where the tests look: ../shared/golden
  --arch ARCH    CUDA architecture to build for (default: native, that of the card)
  --commit NAME  what is measured, where the checkout has no git
  --dry-run      print the commands, run none
  STEP...        of: ${steps[*]} (default: all)
END
}

readonly steps=(wheels versions golden build tests memcheck racecheck benchmarks table)
# A machine is lent for ten minutes. Steps get the seconds below, less when earlier ones were
# slow; the benchmarks get all that is left but those for the table.
readonly total=525 for_table=10 grace=3
readonly python=${PYTHON:-python3}

out=${OUT:-} wheels='' golden='' arch=native commit='' dry_run=false
wanted=()
while [ $# -gt 0 ]; do
    case $1 in
        --out | --wheels | --golden | --arch | --commit)
            [ $# -ge 2 ] || { echo "$1 wants a value" >&2; exit 2; }
            declare "${1#--}=$2"
            shift 2
            ;;
        --dry-run) dry_run=true; shift ;;
        --help) usage; exit 0 ;;
        *)
            [[ " ${steps[*]} " == *" $1 "* ]] || { usage >&2; exit 2; }
            wanted+=("$1")
            shift
            ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${steps[@]}")
if ! $dry_run; then
    out=${out:-$(mktemp -d)}
    mkdir -p "$out" || exit 2
    out=$(cd "$out" && pwd)
    rm -f "$out/steps.jsonl"
fi
out=${out:-OUT}
failed=false

left() { echo $((total - SECONDS)); }
is_wanted() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

# record STEP STATUS SECONDS: a line for the table, and for who is watching.
record() {
    printf '   %s, %d s\n' "$2" "$3"
    printf '{"step": "%s", "status": "%s", "seconds": %d}\n' "$@" >> "$out/steps.jsonl"
    [ "$2" = passed ] || failed=true
}

# step NAME SECONDS LOG COMMAND...: run it unless it is not asked for, its output into LOG.
step() {
    local name=$1 limit=$2 log=$out/$3 code=0 start=$SECONDS
    shift 3
    is_wanted "$name" || return 0
    [ "$limit" -le "$(left)" ] || limit=$(left)
    printf '== [%3d s] %s, %d s at most\n' "$SECONDS" "$name" "$limit"
    if $dry_run; then
        printf '   %s\n' "${*@Q}"
        return 0
    fi
    if [ "$limit" -lt 5 ]; then
        record "$name" "not run" 0
        return 0
    fi
    if [ "${log##*.}" = log ]; then printf '== %s\n' "$name" >> "$log"; else : > "$log"; fi
    timeout --kill-after="$grace" "$limit" "$@" >> "$log" 2>&1 || code=$?
    case $code in
        0) record "$name" passed $((SECONDS - start)) ;;
        124 | 137) record "$name" "timed out" $((SECONDS - start)) ;;
        *)
            record "$name" "failed ($code)" $((SECONDS - start))
            tail -n 15 "$log"
            ;;
    esac
}

# Where the sanitizer is: on the PATH or in the toolkit. Empty: absent.
find_sanitizer() {
    local nvcc folder
    nvcc=$(command -v nvcc || true)
    for folder in "${CUDA_HOME:-/usr/local/cuda}" "$(dirname "$(dirname "$(readlink -f "${nvcc:-/}")")")"; do
        PATH=$PATH:$folder/bin:$folder/compute-sanitizer
    done
    command -v compute-sanitizer || true
}

# sanitize TOOL SECONDS: golden picks of every operation, checking our own kernels alone. Errors
# of the runtime are left to our own checks: other libraries probe for what may be missing.
sanitize() {
    local sanitizer
    is_wanted "$1" || return 0
    sanitizer=$(find_sanitizer)
    if [ -z "$sanitizer" ] && ! $dry_run; then
        printf '== [%3d s] %s\n' "$SECONDS" "$1"
        record "$1" absent 0
        return 0
    fi
    step "$1" "$2" tests.log "${sanitizer:-compute-sanitizer}" --tool "$1" \
        --error-exitcode 86 --report-api-errors no --target-processes application-only \
        --kernel-name kns=fisher_select \
        "$python" -m benchmarks.gpu.checks --section "$1" --seconds $(($2 - 8)) \
        --out "$out/tests.json" -- --require-cuda -m 'cuda and not slow' \
        -k 'golden or test_against_the_reference or test_ties_go_to or test_gradients_that_vanish or test_equal_rows_tie' \
        tests/test_fisher_golden.py tests/test_determinant.py tests/test_distance.py \
        tests/test_mask.py tests/test_information_gain.py
}

printf 'results: %s\n' "$out"
if [ -n "$wheels" ]; then
    step wheels 30 build.log "$python" -m pip install --no-index --no-deps "$wheels"/*.whl
fi
step versions 20 machine.json "$python" -m benchmarks.gpu.hardware
if [ -n "$golden" ] && [ ! -e ../shared/golden ]; then
    # shellcheck disable=SC2016  # expanded by the inner shell
    step golden 5 build.log bash -c 'mkdir -p ../shared && cp -r "$1" ../shared/golden' bash "$golden"
fi
step build 150 build.log "$python" -m pip install --no-index --no-build-isolation --no-deps \
    -Ccmake.define.FISHER_SELECT_CUDA=ON -Ccmake.define.CMAKE_CUDA_ARCHITECTURES="$arch" .
step tests 125 tests.log "$python" -m benchmarks.gpu.checks --section tests --seconds 115 \
    --out "$out/tests.json" -- --require-cuda -m cuda tests
sanitize memcheck 45
sanitize racecheck 45
seconds=$(($(left) - for_table))
step benchmarks "$seconds" benchmarks.log "$python" -m benchmarks.gpu --budget $((seconds - grace)) \
    --out "$out" ${commit:+--commit "$commit"}
step table "$for_table" benchmarks.log "$python" -m benchmarks.gpu.table "$out"

if ! $dry_run; then
    for log in "$out"/*.log; do # small enough to be kept
        tail -c 1000000 "$log" > "$log.tail" && mv "$log.tail" "$log"
    done
    [ ! -e "$out/gpu.md" ] || cat "$out/gpu.md"
    printf 'results: %s, %d s in all\n' "$out" "$SECONDS"
fi
! $failed
