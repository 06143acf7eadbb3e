#!/usr/bin/env bash
# Runs output/device in emulated ARM systems, and compares logits and masks with TensorFlow's here.
#
#     bash tests/arm/run_on_arm.sh [DEVICE_FOLDER [IMAGES]]
#
# For each system: Debian for arm64 with its own Python (mmdebstrap), the folder's own requirements,
# 10 pictures (qemu-user, as a Cortex-A72). Exit code 0: bit for bit the same, or skipped, and why.
# Takes about five minutes. SYSTEMS="bookworm" alone takes half of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
device=$(realpath "${1:-output/device}")
images=$(realpath "${2:-sample_data/images}")
count=10

skip() { echo "on ARM: skipped: $1"; exit 0; }

for tool in qemu-aarch64-static:qemu-user-static mmdebstrap:mmdebstrap; do
    command -v "${tool%:*}" >/dev/null && continue
    { apt-get -qq update && apt-get -qq install -y "${tool#*:}"; } >/dev/null 2>&1 \
        || skip "there is no ${tool%:*}, and apt-get can't install it"
done
[ -f "$device/model.json" ] || { echo "on ARM: there is no $device: run tflite_convert.py first"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# XNNPACK asks these files which CPU it is on; without them it stops with "illegal instruction".
describe_cpu() {
    local cpus=$1/sys/devices/system/cpu number
    mkdir -p "$1/proc" "$cpus"
    for number in 0 1 2 3; do
        mkdir -p "$cpus/cpu$number/topology" "$cpus/cpu$number/cpufreq"
        echo 0 > "$cpus/cpu$number/topology/physical_package_id"
        echo 0-3 > "$cpus/cpu$number/topology/core_siblings_list"
        echo 1500000 > "$cpus/cpu$number/cpufreq/cpuinfo_max_freq"
        printf '%s\n' "processor : $number" "Features : fp asimd evtstrm crc32 cpuid" \
            "CPU implementer : 0x41" "CPU architecture: 8" "CPU variant : 0x0" \
            "CPU part : 0xd08" "CPU revision : 3" ""
    done > "$1/proc/cpuinfo"
    for name in possible present online; do echo 0-3 > "$cpus/$name"; done
    echo 3 > "$cpus/kernel_max"
}

python "$here/save_logits.py" "$device" "$images" "$count" tensorflow "$work/here.npz" > /dev/null

status=0 ran=0
for system in ${SYSTEMS:-bookworm trixie}; do
    case $system in
        bookworm) version=3.11 newest=36 ;;  # its Python, and its glibc 2.36
        trixie) version=3.13 newest=41 ;;
        *) echo "on ARM: SYSTEMS may name bookworm and trixie, not $system"; exit 2 ;;
    esac
    root=$work/$system
    if ! mmdebstrap --quiet --variant=extract --architectures=arm64 \
            --include=python3-minimal,libpython3-stdlib,libstdc++6,libgcc-s1 \
            "$system" "$root" 2> "$work/log"; then
        echo "on ARM: $system: skipped: mmdebstrap fails: $(tail -1 "$work/log")"
        continue
    fi
    [ -e "$root/lib" ] || ln -s usr/lib "$root/lib"  # trixie makes this link when it is set up
    describe_cpu "$root"
    platforms=$(seq -f '--platform manylinux_2_%g_aarch64' 17 "$newest")
    # shellcheck disable=SC2086
    if ! python -m pip install --quiet --disable-pip-version-check --target "$work/$system-packages" \
            --python-version "$version" --implementation cp --only-binary=:all: $platforms \
            --platform manylinux2014_aarch64 -r "$device/requirements.txt" 2> "$work/log"; then
        echo "on ARM: $system: skipped: pip fails: $(tail -1 "$work/log")"
        continue
    fi
    env -u VIRTUAL_ENV QEMU_CPU=cortex-a72 PYTHONPATH="$work/$system-packages" \
        qemu-aarch64-static -L "$root" "$root/usr/bin/python$version" \
        "$here/save_logits.py" "$device" "$images" "$count" ai-edge-litert "$work/$system.npz"
    python "$here/compare_logits.py" "$system" "$work/here.npz" "$work/$system.npz" || status=1
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || echo "on ARM: nothing ran"
exit $status
