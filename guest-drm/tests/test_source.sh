#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# The module's sources against their own rules: kernel differences live in
# pvgpu_compat.h alone and are all probed for, Kbuild builds every file, lines
# fit. Run from the root of the tree; speaks TAP.
dir=guest-drm
number=0

# report NAME PROBLEMS: passes if there are none.
report()
{
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "$2" | sed 's/^/# /'
		failed=1
	fi
}

echo "TAP version 13"
echo "1..6"
failed=0

report "no #if in the code's way" "$(grep -nE '^[[:space:]]*#[[:space:]]*(if|el|endif)' $dir/*.c)"

report "no kernel version numbers" \
	"$(grep -nE 'KERNEL_VERSION|LINUX_VERSION' $dir/*.c $dir/*.h)"

used=$(grep -oE 'PVGPU_HAVE_[A-Z0-9_]+' $dir/pvgpu_compat.h | sed 's/PVGPU_HAVE_//' | sort -u)
probed=$(sed -nE 's/^(have|joined|config) ([A-Z0-9_]+)[[:space:]].*/\2/p' $dir/probe.sh | sort -u)
report "what pvgpu_compat.h asks for is what probe.sh looks for" "$(
	for name in $used; do
		echo "$probed" | grep -qx "$name" || echo "nobody looks for $name"
	done
	for name in $probed; do
		echo "$used" | grep -qx "$name" || echo "nobody asks for $name"
	done)"

report "Kbuild builds every source" "$(
	for file in $dir/pvgpu_*.c; do
		object=$(basename "$file" .c).o
		grep -qw "$object" $dir/Kbuild || echo "$object is missing"
	done)"

report "lines have at most 100 columns" "$(
	for file in $dir/*.c $dir/*.h $dir/uapi/*.h; do
		expand "$file" | awk -v f="$file" 'length > 100 { print f ":" NR ": " length }'
	done)"

report "the version is the same everywhere" "$(
	version=$(sed -nE 's/^PACKAGE_VERSION="(.*)"/\1/p' $dir/dkms.conf)
	number() { sed -nE "s/^#define $1[[:space:]]+([0-9]+)/\1/p" $dir/pvgpu_drv.h; }
	header=$(number PVGPU_MAJOR).$(number PVGPU_MINOR).$(number PVGPU_PATCH)
	[ "$version" = "$header" ] || echo "dkms.conf $version, pvgpu_drv.h $header"
	grep -q "MODULE_VERSION(\"$version\")" $dir/pvgpu_drv.c || echo "MODULE_VERSION is not $version")"

exit $failed
