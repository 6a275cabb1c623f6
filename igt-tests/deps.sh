#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs by apt what pvgpu needs to build and to test, and nothing else. With
# everything there it asks dpkg once and is done. Runs as root, or as a user
# who may use sudo; for Debian 12 and newer.
set -eu

packages=(
	# building
	build-essential pkg-config libcmocka-dev libjson-c-dev libseccomp-dev
	libsystemd-dev libinih-dev libpixman-1-dev libpng-dev libdrm-dev
	zlib1g-dev
	libvirglrenderer-dev libepoxy-dev libegl-mesa0
	# checking the protocol on other systems and by model
	clang gcc-mingw-w64-x86-64 gcc-mingw-w64-i686 linux-headers-amd64
	sparse spin
	# guest programs with GL
	libegl-dev libgles-dev libgbm-dev
	# guest images and virtual machines
	qemu-system-x86 mmdebstrap squashfs-tools busybox-static cpio kmod zstd
	xz-utils uidmap debian-archive-keyring
	# a peer with GL: QEMU's display, on an X server that nobody sees
	qemu-system-gui xvfb libgl1-mesa-dri
	# clients of the vtest door, and its peer
	bubblewrap mesa-utils podman runc virgl-server xauth
	# tests
	python3 e2fsprogs edid-decode libvirt-clients libvirt-daemon
	libvirt-daemon-driver-qemu mandoc
)

missing=()
declare -A state
while read -r name status; do
	state[${name%%:*}]=$status
done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' \
	 "${packages[@]}" 2>/dev/null || true)
for p in "${packages[@]}"; do
	[ "${state[$p]:-}" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "deps: this is not a Debian system; install: ${missing[*]}" >&2
	exit 1
fi
root=()
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: not root and no sudo; as root run:" \
		     "apt-get install ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi

echo "deps: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1
}
update() {
	echo 'deps: reading the package lists (apt-get update)'
	apt_get update || { tail -n 20 "$log" >&2; exit 1; }
}

# A package without a candidate means package lists that are absent or old.
candidates=$(apt-cache policy "${missing[@]}" | grep -c 'Candidate: [^(]' || true)
[ "$candidates" -ge ${#missing[@]} ] || update
install() {
	apt_get install -y --no-install-recommends "${missing[@]}"
}
if ! install; then
	update
	install || {
		tail -n 20 "$log" >&2
		echo "deps: apt could not install: ${missing[*]}" >&2
		exit 1
	}
fi
echo "deps: done"
