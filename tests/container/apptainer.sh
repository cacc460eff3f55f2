#!/usr/bin/env bash
# Apptainer for the tests, where it is not installed: from a tree of Debian's development suite.
#
#   apptainer.sh up FOLDER SHARED   makes FOLDER/bin/apptainer (about a minute), which runs as USER_ID and sees
#                                   SHARED under its own path; needs root. With the variable APPTAINER_AS_ROOT
#                                   it runs as root, as `apptainer build` must there.
#
# Exit status 77: skipped, and the last line says why.
set -euo pipefail
[ "${1:-}" = up ] || { echo "usage: apptainer.sh up FOLDER SHARED" >&2; exit 2; }
FOLDER=${2:?folder} SHARED=${3:?folder that is shared}
USER_ID=1000
mkdir -p "$FOLDER/bin"
FOLDER=$(cd "$FOLDER" && pwd)
TREE=$FOLDER/tree

skip() { echo "$*"; exit 77; }

install() {
  { timeout 300 apt-get -o DPkg::Lock::Timeout=120 update &&
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -o DPkg::Lock::Timeout=120 \
      install -y --no-install-recommends "$@"; } >>"$FOLDER/apt.log" 2>&1
}

[ "$(id -u)" = 0 ] || skip "no apptainer on PATH, and making a tree for one needs root"
if [ ! -x "$TREE/usr/bin/apptainer" ]; then
  command -v mmdebstrap >/dev/null || install mmdebstrap || skip "mmdebstrap cannot be installed"
  mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n1)
  [ -n "$mirror" ] || skip "no Debian mirror is configured"
  # a mirror's list of the development suite may be older than it says it is valid
  mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --include=apptainer,ca-certificates,squashfuse \
    sid "$FOLDER/tree.tar" "deb $mirror sid main" >"$FOLDER/tree.log" 2>&1 ||
    skip "no package of apptainer: $(tail -n1 "$FOLDER/tree.log")"
  mkdir -p "$TREE.part"
  tar -C "$TREE.part" -xf "$FOLDER/tree.tar"
  rm "$FOLDER/tree.tar"
  chmod 755 "$TREE.part"
  printf '127.0.0.1 localhost\n' >"$TREE.part/etc/hosts"
  for file in subuid subgid; do echo root:100000:65536 >>"$TREE.part/etc/$file"; done
  chroot "$TREE.part" useradd -m -u "$USER_ID" hpc
  mv "$TREE.part" "$TREE"
fi

cat >"$FOLDER/bin/apptainer" <<END
#!/usr/bin/env bash
# made by tests/container/apptainer.sh: enters the tree, and is replaced by its apptainer
exec unshare -m --propagation slave bash -c '
  set -e
  tree=\$1 shared=\$2 user=\$3 folder=\$PWD; shift 3
  mount --bind "\$tree" "\$tree"                   # Apptainer wants / to be a mount point
  mount -t proc proc "\$tree/proc"
  mount --rbind /sys "\$tree/sys"
  mount --rbind /dev "\$tree/dev"
  mount -t tmpfs tmpfs "\$tree/tmp"
  mknod -m 666 "\$tree/tmp/.fuse" c 10 229         # for ordinary users
  mount --bind "\$tree/tmp/.fuse" "\$tree/dev/fuse"
  mkdir -p "\$tree\$shared" "\$tree/old"
  mount --rbind "\$shared" "\$tree\$shared"
  cd "\$tree"; pivot_root . old; cd /; umount -l /old
  cd "\$folder" 2>/dev/null || true
  [ -z "\${APPTAINER_AS_ROOT:-}" ] || exec env -u APPTAINER_AS_ROOT HOME=/root apptainer "\$@"
  exec setpriv --reuid "\$user" --regid "\$user" --clear-groups env HOME=/home/hpc USER=hpc apptainer "\$@"
' _ "$TREE" "$SHARED" "$USER_ID" "\$@"
END
chmod 755 "$FOLDER/bin/apptainer"
