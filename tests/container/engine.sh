#!/usr/bin/env bash
# A Docker engine and a base image for the tests, where there may be neither an engine nor a registry.
#
#   engine.sh up FOLDER      prints NAME=VALUE lines: what a build and a run need
#   engine.sh down FOLDER    ends what `up` has started; what was built stays in FOLDER
#
# An engine that answers is used. Else Debian's docker.io is installed and started, which needs root, with
# its data in FOLDER and without a bridge: builds use --network host, runs --network none.
# The base image is pulled; where no registry answers, one is made of Debian's packages, which carries this
# machine's configuration of pip and its certificates, so that the Dockerfile needs none. For tests only:
# never publish an image that was built on it.
#
# Exit status 77: skipped, and the last line says why.
set -euo pipefail
ACTION=${1:?up or down} FOLDER=${2:?folder}
REAL_BASE=${REAL_BASE:-python:3.11-slim-bookworm}
STAND_IN=localhost/interactivenet-base:py311
mkdir -p "$FOLDER"
FOLDER=$(cd "$FOLDER" && pwd)

skip() { echo "$*"; down; exit 77; }

background() {   # background NAME COMMAND...: its process id goes to FOLDER/NAME.pid, its words to NAME.log
  local name=$1; shift
  setsid "$@" >"$FOLDER/$name.log" 2>&1 </dev/null &
  echo $! >"$FOLDER/$name.pid"
}

down() {
  local name pid
  for name in wheels engine; do
    pid=$(cat "$FOLDER/$name.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    rm -f "$FOLDER/$name.pid"
  done
  umount "$FOLDER/exec/netns/default" 2>/dev/null || true
}

install() {
  { timeout 300 apt-get -o DPkg::Lock::Timeout=120 update &&
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -o DPkg::Lock::Timeout=120 \
      install -y --no-install-recommends "$@"; } >>"$FOLDER/apt.log" 2>&1
}

engine() {
  docker version >/dev/null 2>&1 && return
  [ "$(id -u)" = 0 ] || skip "no container engine answers, and starting one needs root"
  command -v dockerd >/dev/null || install docker.io iptables || skip "docker.io cannot be installed"
  export DOCKER_HOST="unix://$FOLDER/docker.sock"
  docker version >/dev/null 2>&1 && return   # an earlier `up` started it
  background engine dockerd --host "$DOCKER_HOST" --data-root "$FOLDER/data" --exec-root "$FOLDER/exec" \
    --pidfile "$FOLDER/dockerd.pid" --bridge=none --iptables=false --ip6tables=false --storage-driver overlay2
  for _ in $(seq 120); do
    docker version >/dev/null 2>&1 && return
    kill -0 "$(cat "$FOLDER/engine.pid")" 2>/dev/null || skip "dockerd ended: $(tail -n1 "$FOLDER/engine.log")"
    sleep 0.5
  done
  skip "dockerd does not answer: $(tail -n1 "$FOLDER/engine.log")"
}

wheels() {   # pip's local folders of wheels, if it has some, served to the steps of a build
  local found port
  found=$(python3 -m pip config get global.find-links 2>/dev/null ||
    python3 -m pip config get :env:.find-links 2>/dev/null || true)
  [ -n "$found" ] && [ -d "$found" ] || return 0
  port=$(cat "$FOLDER/port" 2>/dev/null ||
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  echo "$port" >"$FOLDER/port"   # it stands in the base image, which is kept
  kill -0 "$(cat "$FOLDER/wheels.pid" 2>/dev/null)" 2>/dev/null ||
    background wheels python3 -m http.server --bind 127.0.0.1 --directory "$found" "$port"
}

pip_configuration() {
  echo '[global]'
  echo 'cert = /etc/ssl/certs/ca-certificates.crt'
  echo 'timeout = 180'
  echo 'retries = 10'
  if [ -s "$FOLDER/port" ]; then
    echo "find-links = http://127.0.0.1:$(cat "$FOLDER/port")/"
    echo 'trusted-host = 127.0.0.1'
  fi
}

base() {
  BASE_IMAGE=$REAL_BASE BUILD_PACKAGES="g++"
  "$DOCKER" image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
  timeout 60 "$DOCKER" pull -q "$BASE_IMAGE" >/dev/null 2>&1 && return
  BASE_IMAGE=$STAND_IN BUILD_PACKAGES="g++ python3-dev python3-venv"
  wheels
  "$DOCKER" image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
  command -v mmdebstrap >/dev/null || install mmdebstrap ||
    skip "no registry answers and mmdebstrap cannot be installed"
  pip_configuration >"$FOLDER/pip.conf"
  mmdebstrap --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook="copy-in $FOLDER/pip.conf /etc/" \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/' \
    bookworm "$FOLDER/base.tar" /etc/apt/sources.list.d/debian.sources >"$FOLDER/base.log" 2>&1 ||
    skip "no base image: $(tail -n1 "$FOLDER/base.log")"
  "$DOCKER" import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$FOLDER/base.tar" "$BASE_IMAGE" >/dev/null
  rm -f "$FOLDER/base.tar"
}

if [ "$ACTION" = down ]; then down; exit; fi
DOCKER=docker DOCKER_BUILDKIT=1
command -v docker >/dev/null || [ "$(id -u)" = 0 ] || skip "there is no docker"
engine
# a client that speaks BuildKit: with buildx, or Debian's own
if ! docker buildx version >/dev/null 2>&1; then
  if /usr/bin/docker --version 2>/dev/null | grep -q ' 20\.'; then DOCKER=/usr/bin/docker; else DOCKER_BUILDKIT=0; fi
fi
base
for name in DOCKER DOCKER_HOST DOCKER_BUILDKIT BASE_IMAGE BUILD_PACKAGES; do
  [ -z "${!name:-}" ] || echo "$name=${!name}"
done
