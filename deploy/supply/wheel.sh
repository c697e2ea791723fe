#!/bin/sh
# Builds the wheel and its bill of materials into a folder: ./dev wheel [FOLDER]
#
# The same commit gives the same bytes, wherever and whenever it is built: the build backend is pinned by hash, times are
# that of the commit (or SOURCE_DATE_EPOCH), and hatchling sorts the files and sets their permissions.
set -eu
cd "$(dirname "$0")/../.."
target=${1:-dist}
BACKEND=.state/build
if ! cmp -s requirements/build.txt "$BACKEND/requirements.txt"; then
    if command -v uv >/dev/null; then
        uv venv --quiet --clear "$BACKEND"
        uv pip install --quiet --python "$BACKEND/bin/python" --require-hashes --only-binary :all: -r requirements/build.txt
    else
        .venv/bin/python -m venv --clear "$BACKEND"
        "$BACKEND/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --only-binary :all: -r requirements/build.txt
    fi
    cp requirements/build.txt "$BACKEND/requirements.txt"
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)}
export SOURCE_DATE_EPOCH
mkdir -p "$target"
target=$(cd "$target" && pwd)
"$BACKEND/bin/python" -m hatchling build --target wheel --directory "$target" >&2
for wheel in "$target"/orca_daemon-*.whl; do
    .venv/bin/python deploy/supply/sbom.py "$wheel" >"$wheel.cdx.json"
    sha256sum "$wheel" "$wheel.cdx.json"
done
