#!/bin/sh
# Builds the image with docker, podman or buildah and tries it as production runs it: ./dev image [--build-arg NAME=VALUE]
#
# Without access to an image registry, but with buildah, debootstrap and root, it builds on a stand-in for the
# base: ORCA_IMAGE_STANDIN=/path/to/a/python/3.13/tree ./dev image
set -eu
cd "$(dirname "$0")/../.."
IMAGE=localhost/orca-daemon:dev
STANDIN=localhost/python-standin:3.13

standin() { # a Debian with a Python tree in /usr/local
    buildah inspect "$STANDIN" >/dev/null 2>&1 && return
    root=$(mktemp -d)
    debootstrap --variant=minbase \
        --include=ca-certificates,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8 \
        bookworm "$root" >/dev/null
    cp -a "$ORCA_IMAGE_STANDIN/." "$root/usr/local/"
    # The build must trust the certificate authorities of this machine's proxy too.
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    printf '[global]\ncert=/etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
    chroot "$root" ldconfig
    container=$(buildah from scratch)
    buildah add -q "$container" "$root" / >/dev/null
    buildah config --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q "$container" "$STANDIN" >/dev/null
    buildah rm "$container" >/dev/null
    rm -rf "$root"
}

if docker info >/dev/null 2>&1; then
    tool=docker
    docker build -t "$IMAGE" "$@" .
elif command -v buildah >/dev/null; then
    tool=podman
    if [ -n "${ORCA_IMAGE_STANDIN:-}" ]; then
        standin
        set -- --pull-never --build-arg "PYTHON_IMAGE=$STANDIN" "$@"
    fi
    buildah bud --isolation chroot --layers --format docker --target daemon -t "$IMAGE" "$@" .
else
    echo "docker does not answer, and there is no buildah: start docker, or 'apt install buildah podman'" >&2
    exit 1
fi
exec .venv/bin/python deploy/image/try.py "$tool" "$IMAGE"
