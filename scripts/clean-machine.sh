#!/usr/bin/env bash
# Runs a command of this checkout on a machine that has never seen it:
#
#   scripts/clean-machine.sh [--cache] [--keep] DIR [COMMAND ...]      default command: bin/demo --exit
#
# DIR, which must not exist, becomes a bare Debian with a clone of the checkout's HEAD (not of uncommitted changes) in
# /root/holdfast; it has no Node, no npm, no libvirt and no QEMU. It borrows this machine's package sources, resolver,
# CA certificates and npm configuration, and is deleted at the end unless --keep is given. --cache keeps the bare
# tree in .cache/ for the next run. Needs root and debootstrap.
#
# The command runs in mount and process namespaces of its own: when it ends, what it left running is told and ended
# with it, and no mount of it was ever visible outside, so deleting DIR cannot reach /dev or /proc.
set -euo pipefail
suite=${CLEAN_MACHINE_SUITE:-bookworm}
root=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)

cache='' keep=''
while [ $# -gt 0 ]; do
  case $1 in
    --cache) cache=1 ;;
    --keep) keep=1 ;;
    -*) echo "clean-machine: unknown option $1" >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
if [ $# -lt 1 ]; then
  echo 'usage: scripts/clean-machine.sh [--cache] [--keep] DIR [COMMAND ...]' >&2
  exit 2
fi
machine=$(realpath -m -- "$1")
shift
[ $# -gt 0 ] || set -- bin/demo --exit

die() {
  echo "clean-machine: $*" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || die 'only root can make a machine'
[ ! -e "$machine" ] || die "$machine exists already"
command -v debootstrap >/dev/null || die 'debootstrap is not installed'

has_mounts() {
  awk -v "top=$machine" '$2 == top || index($2, top "/") == 1 { found = 1 } END { exit !found }' /proc/self/mounts
}

remove_machine() {
  if has_mounts; then
    echo "clean-machine: something is still mounted in $machine; not deleting it" >&2
    return 1
  fi
  rm -rf --one-file-system -- "$machine"
}

finish() {
  local status=$?
  trap - EXIT
  if [ -n "$keep" ]; then
    echo "clean-machine: kept in $machine" >&2
  else
    remove_machine || status=1
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bare_tree() {
  local archive=$root/.cache/clean-machine/$suite.tar
  if [ -n "$cache" ] && [ -e "$archive" ]; then
    mkdir -p "$machine"
    tar -C "$machine" -xf "$archive"
    return
  fi
  echo "clean-machine: installing a bare $suite in $machine" >&2
  local log
  log=$(mktemp)
  if ! debootstrap --variant=minbase --include=ca-certificates "$suite" "$machine" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die 'debootstrap failed'
  fi
  rm -f "$log"
  if [ -n "$cache" ]; then
    mkdir -p "${archive%/*}"
    tar -C "$machine" -cf "$archive.$$" .
    mv "$archive.$$" "$archive"
  fi
}

# Puts copies of files and directories in the same place of the machine, following links here; those that are not there
# are skipped. What the machine has there goes first: its absolute links would lead out of it.
borrow() {
  local path
  for path in "$@"; do
    [ -e "$path" ] || continue
    mkdir -p "$machine$(dirname "$path")"
    rm -rf -- "$machine$path"
    cp -rL --preserve=mode -T -- "$path" "$machine$path"
  done
}

bare_tree
rm -f "$machine/etc/apt/sources.list" "$machine/etc/resolv.conf"
borrow /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /usr/share/keyrings /etc/resolv.conf /etc/hosts \
  /usr/local/share/ca-certificates /etc/ssl/certs /root/.npmrc /etc/npmrc /usr/etc/npmrc
# Hooks of packages that the machine does not have would fail there.
rm -f "$machine"/etc/apt/apt.conf.d/{20packagekit,50appstream,70debconf}
git clone -q --no-hardlinks -- "$root" "$machine/root/holdfast"

# The environment of a fresh log-in, and what it takes to reach the package sources from here.
environment=(HOME=/root USER=root LOGNAME=root "TERM=${TERM:-dumb}" LANG=C.UTF-8
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in CI NO_COLOR {http,https,no}_proxy {HTTP,HTTPS,NO}_PROXY NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR; do
  [ -z "${!name-}" ] || environment+=("$name=${!name}")
done
for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE; do
  case ${!name-} in /*) [ -e "$machine${!name}" ] || borrow "${!name}" ;; esac
done

# shellcheck disable=SC2016 # expanded inside
inside='
  set -eu
  machine=$1
  shift
  mount --rbind /dev "$machine/dev"
  mount --make-rslave "$machine/dev"
  mount -t proc proc "$machine/proc"
  mount --rbind /sys "$machine/sys"
  mount --make-rslave "$machine/sys"
  status=0
  chroot "$machine" env -i "$@" || status=$?
  left=""
  for process in "$machine"/proc/[0-9]*; do
    pid=${process##*/}
    [ "$pid" -ne $$ ] && line=$(tr "\000" " " <"$process/cmdline" 2>/dev/null) || continue
    left="$left
  $pid $line"
  done
  [ -z "$left" ] || echo "clean-machine: left running by the command:$left" >&2
  exit $status
'
# shellcheck disable=SC2016 # expanded inside
unshare --mount --pid --fork --kill-child -- sh -c "$inside" sh "$machine" "${environment[@]}" \
  sh -c 'cd /root/holdfast && exec "$@"' sh "$@"
