#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the recordings of this tree anew, from the programs that they are of:
#   record.sh                 all of them, into recordings/
#   record.sh NAME...         these
#   record.sh -o FILE COMMAND...   of any other program for X, in its window
# Needs libx11-dev, mesa-utils, virgl-server and xvfb, and a mount namespace,
# because Mesa's socket is /tmp/.virgl_test and nowhere else in older ones.
# Everything runs on llvmpipe, which also makes the pictures. From the tree's
# root, after `make all`.
set -eu

here=protocol/replay

# What is recorded: glxgears, and scenes of our own (scenes.c).
recipe() {
	case $1 in
	gears) command=(glxgears -geometry 256x256);;
	draws) command=(build/scenes draws 64);;
	fill|layers|upload) command=(build/scenes "$1" 256);;
	*) echo "record.sh: no recipe for $1" >&2; exit 2;;
	esac
}

for program in virgl_test_server Xvfb unshare build/bin/pvgpu-record; do
	command -v "$program" >/dev/null || {
		echo "record.sh: $program is not here" >&2; exit 1; }
done
work=$(mktemp -d)
started=()
finish() {
	[ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

mkdir "$work/tmp"
virgl_test_server --use-egl-surfaceless --socket-path="$work/server" \
	>"$work/server.log" 2>&1 &
started+=($!)
Xvfb -displayfd 3 -screen 0 1024x768x24 3>"$work/display" 2>/dev/null &
started+=($!)
for _ in $(seq 100); do
	[ -s "$work/display" ] && [ -S "$work/server" ] && break
	sleep 0.1
done

# one FILE LABEL COMMAND...
one() {
	local file=$1 label=$2; shift 2
	build/bin/pvgpu-record -o "$file" -l "$work/tmp/.virgl_test" \
		-s "$work/server" -f 4 -n 4 -t "$label" &
	local recorder=$!
	while [ ! -S "$work/tmp/.virgl_test" ]; do sleep 0.1; done
	# The program ends when the recorder has what it wants, and is not glad.
	DISPLAY=:$(cat "$work/display") LIBGL_ALWAYS_SOFTWARE=1 \
	GALLIUM_DRIVER=virpipe timeout 120 unshare -m -- sh -c \
		'mount --bind "$0" /tmp && exec "$@"' "$work/tmp" "$@" \
		>"$work/program.log" 2>&1 &
	local program=$!
	disown $program
	while kill -0 $recorder && kill -0 $program; do sleep 0.1; done 2>/dev/null
	kill $recorder 2>/dev/null || true	# the program gave up
	wait $recorder || { tail -n 5 "$work/program.log" >&2; exit 1; }
	kill $program 2>/dev/null || true
	build/bin/pvgpu-replay --list "$file"
}

if [ "${1:-}" = -o ]; then
	one "$2" "${*:3}" "${@:3}"
	exit
fi
cc -Wall -o build/scenes $here/scenes.c -lX11 -lEGL -lGLESv2 -lm
[ $# -gt 0 ] || set -- gears draws fill layers upload
for name; do
	recipe "$name"
	one "$here/recordings/$name.rec" "${command[*]##*/}" "${command[@]}"
done
