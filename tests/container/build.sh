#!/usr/bin/env bash
# Builds what the tests of this folder run, in good time: an engine, the image, and Apptainer.
#
#   build.sh        at the same time as anything else; the tests wait until it is done
#
# The engine goes on running: the tests end it, or `engine.sh down build/containers/engine`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
place=$PWD/build/containers
mkdir -p "$place/shared"

# closed in what is started here (-o): the engine would hold it as long as it runs
if [ "${1:-}" != locked ]; then exec flock -o "$place/lock" bash "$PWD/tests/container/build.sh" locked; fi

while IFS='=' read -r name value; do export "$name=$value"; done \
  < <(bash tests/container/engine.sh up "$place/engine")
[ -n "${BASE_IMAGE:-}" ] || exit 0   # skipped, and the tests will say why
command -v apptainer >/dev/null || bash tests/container/apptainer.sh up "$place/apptainer" "$place/shared" &
make image DOCKER="$DOCKER" IMAGE=interactivenet:test \
  BUILD_ARGS="--network host --build-arg BASE_IMAGE='$BASE_IMAGE' --build-arg BUILD_PACKAGES='$BUILD_PACKAGES'"
wait
