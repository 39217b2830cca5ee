#!/bin/sh
# Makes a small Debian as one tar: rootfs.sh SUITE MIRROR FOLDER APT_SOURCES APT_SETTINGS INCLUDE
# Runs in a mount namespace of its own, so whatever debootstrap mounts goes away with it.
set -eu
suite=$1 mirror=$2 folder=$3 sources=$4 settings=$5 include=$6
root=$folder/rootfs

debootstrap --variant=minbase ${include:+"--include=$include"} "$suite" "$root" "$mirror"

cp "$sources" "$root/etc/apt/sources.list"
cp "$settings" "$root/etc/apt/apt.conf.d/90mirror"
cat > "$root/etc/apt/apt.conf.d/91small" <<'EOF'
Acquire::Languages "none";
APT::Install-Recommends "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
EOF
cat > "$root/etc/dpkg/dpkg.cfg.d/small" <<'EOF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
EOF
# Nothing is started while packages are installed into an image.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

# What differs from run to run, and what an image does not need.
: > "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
echo localhost > "$root/etc/hostname"
rm -rf "$root/debootstrap" "$root/var/lib/apt/lists/"* "$root/var/cache/apt/"* "$root/var/cache/ldconfig/"* \
    "$root/var/cache/debconf/"*-old "$root/var/lib/dpkg/"*-old "$root/etc/"*- "$root/var/log/"*.log "$root/var/log/apt" \
    "$root/tmp/"* "$root/run/"*
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete
find "$root/usr/share/locale" ! -type d ! -name locale.alias -delete
find "$root/usr/share/locale" -depth -mindepth 1 -type d -empty -delete
rm -rf "$root/usr/share/man/"* "$root/usr/share/info/"*

# Same packages, same bytes: sorted names, and no file younger than the day the release came out.
tar --create --file "$folder/rootfs.tar" --directory "$root" --numeric-owner --sort=name \
    --mtime=2023-06-10T00:00:00Z --clamp-mtime --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' .
rm -rf "$root"
