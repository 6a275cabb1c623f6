#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the Debian packages of this tree, with dpkg-deb and dpkg-shlibdeps, in
# build/deb; run by `make deb` from the tree's root. Same tree, same packages.
set -eu

out=build/deb
here=host-backend/debian
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' $here/changelog)
arch=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' $here/changelog | head -n1)" +%s)
umask 022
rm -rf $out
mkdir -p $out/stage

# What every package has beside its files. $1 package, $2 folder of its parts
documents() {
	local doc=$out/stage/$1/usr/share/doc/$1

	mkdir -p "$doc"
	cp $here/copyright "$doc/"
	gzip -9n < $here/changelog > "$doc/changelog.gz"
	mkdir -p "$out/stage/$1/usr/share/lintian/overrides"
	sed "s/@PACKAGE@/$1/" $here/lintian-overrides \
		> "$out/stage/$1/usr/share/lintian/overrides/$1"
}

# $1 package, $2 folder of its parts, $3 architecture, $4 Depends of libraries
package() {
	local root=$out/stage/$1 script

	mkdir -p "$root/DEBIAN"
	sed "s/@VERSION@/$version/; s/@ARCH@/$3/; s/@DEPENDS@/$4/" \
		"$2/$1.control" > "$root/DEBIAN/control"
	echo "Installed-Size: $(du -k -s --exclude=DEBIAN "$root" | cut -f1)" \
		>> "$root/DEBIAN/control"
	for script in postinst prerm postrm; do
		[ -e "$2/$1.$script" ] || continue
		sed "s/@VERSION@/$version/" "$2/$1.$script" > "$root/DEBIAN/$script"
		chmod 755 "$root/DEBIAN/$script"
	done
	(cd "$root" && find etc -type f 2>/dev/null | sed 's,^,/,' | sort) \
		> "$root/DEBIAN/conffiles"
	[ -s "$root/DEBIAN/conffiles" ] || rm "$root/DEBIAN/conffiles"
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) \
		> "$root/DEBIAN/md5sums"
	# dpkg-deb wants Installed-Size anywhere before the description's end.
	dpkg-deb --root-owner-group -Zxz --build "$root" \
		"$out/$1_${version}_$3.deb" > /dev/null
	echo "deb: $out/$1_${version}_$3.deb"
}

# ------------------------------------------------------------- the host part
make --no-print-directory install DESTDIR="$out/stage/pvgpu" PREFIX=/usr
root=$out/stage/pvgpu
find "$root/usr" -type f -perm /111 -exec sh -c \
	'head -c4 "$1" | grep -q ELF && strip --remove-section=.comment "$1"' \
	sh {} \;
find "$root/usr/share/man" -type f -exec gzip -9n {} +
documents pvgpu
mkdir -p $out/stage/shlibs/debian
touch $out/stage/shlibs/debian/control
libraries=$(cd $out/stage/shlibs && dpkg-shlibdeps -O \
	../pvgpu/usr/sbin/pvgpud ../pvgpu/usr/bin/pvgpuctl \
	../pvgpu/usr/bin/pvgpu-replay ../pvgpu/usr/bin/pvgpu-vtest \
	../pvgpu/usr/libexec/pvgpu-worker | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ]
package pvgpu $here "$arch" "$libraries"

# ---------------------------------------------------------- the guest's module
source=$out/stage/pvgpu-dkms/usr/src/pvgpu-$version
mkdir -p "$source/guest-drm" "$source/protocol"
cp -R guest-drm/*.c guest-drm/*.h guest-drm/Kbuild guest-drm/Makefile \
	guest-drm/probe.sh guest-drm/uapi "$source/guest-drm/"
cp -R protocol/include "$source/protocol/"
mkdir "$source/protocol/client"
cp protocol/client/client.[ch] "$source/protocol/client/"
sed "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$version\"/" guest-drm/dkms.conf \
	> "$source/dkms.conf"
find "$source" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
install -D -m644 guest-drm/00-pvgpu.conf \
	"$out/stage/pvgpu-dkms/usr/share/drirc.d/00-pvgpu.conf"
documents pvgpu-dkms
package pvgpu-dkms guest-drm/debian all ""
rm -rf $out/stage
