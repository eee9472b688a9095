# Set-up shared by the commands at the root; to be sourced, with `root` set to the checkout. POSIX sh.
#
#   setup base           npm, what Node needs, and the Node packages of the lockfile
#   setup host           programs that Holdfast itself calls on a hypervisor
#   setup portal         the pages of the portal, built from their sources
#   setup browser        Chromium, for the tests of the portal
#   setup bench          the programs that benches run beside Holdfast
#   setup postgres       a PostgreSQL server's programs, for servers of our own
#   setup lab            what the private libvirt and its guests need; implies host
#
# Only what is missing is installed, and nothing is printed when nothing is. Debian and Ubuntu install by apt-get;
# other systems are told what to install. No package named here starts a service: the machine's own libvirt
# (libvirt-daemon-system) is never installed or touched, and Debian's postgresql is kept from making a cluster.
#
# Exit statuses: 3 when a person has to install something, 1 when an installation failed.

# Programs of the system live here; users other than root often lack it.
PATH=$PATH:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }

# Lines of "what shows that it is there | Debian package | what to call it elsewhere".
# A word is a program; a path, with wildcards, is a file.
requirements() {
  case $1 in
    base) cat <<'LIST' ;;
/usr/lib/*/libatomic.so.1 /usr/lib*/libatomic.so.1 /lib/*/libatomic.so.1|libatomic1|the library libatomic.so.1
/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-bundle.crt /etc/pki/tls/certs/ca-bundle.crt|ca-certificates|CA certificates
LIST
    host) cat <<'LIST' ;;
virsh|libvirt-clients|virsh
qemu-img|qemu-utils|qemu-img
qemu-nbd|qemu-utils|qemu-nbd
LIST
    lab) cat <<'LIST' ;;
libvirtd|libvirt-daemon|libvirtd
/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so /usr/lib*/libvirt/connection-driver/libvirt_driver_qemu.so|libvirt-daemon-driver-qemu|libvirt's QEMU driver
qemu-system-x86_64|qemu-system-x86|qemu-system-x86_64
/usr/share/OVMF/OVMF_CODE*.fd|ovmf|the UEFI firmware OVMF in /usr/share/OVMF
mke2fs|e2fsprogs|mke2fs, e2fsck and debugfs
debugfs|e2fsprogs|mke2fs, e2fsck and debugfs
setpriv|util-linux|setpriv
losetup|mount|losetup
apt-get|apt|apt-get and dpkg (the guests' kernel comes from Debian or Ubuntu)
LIST
    portal) ;;
    browser) cat <<'LIST' ;;
chromium|chromium|Chromium
LIST
    postgres) cat <<'LIST' ;;
initdb /usr/lib/postgresql/*/bin/initdb|postgresql|the programs of a PostgreSQL server (initdb, postgres)
setpriv|util-linux|setpriv
LIST
    bench) cat <<'LIST' ;;
restic|restic|restic
borg|borgbackup|borg (BorgBackup 1)
qemu-img|qemu-utils|qemu-img
zstd|zstd|zstd
/usr/bin/time|time|GNU time as /usr/bin/time
LIST
    *)
      say "setup: no set is called '$1'"
      exit 1
      ;;
  esac
}

# Whether one of the space-separated programs or files is there.
is_present() {
  for probe in $1; do
    case $probe in
      /*) [ -e "$probe" ] && return 0 ;;
      *) command -v "$probe" >/dev/null 2>&1 && return 0 ;;
    esac
  done
  return 1
}

# npm 7 was the first to read our lockfile.
npm_is_usable() {
  npm_version=$(npm --version 2>/dev/null) || return 1
  [ "${npm_version%%.*}" -ge 7 ] 2>/dev/null
}

# Runs npm in the checkout. An npm under an older Node leaves optional packages out that want a newer one, and says
# nothing; so if need be it runs once more, under the Node that the first run brought.
install_with_npm() {
  npm ci --no-audit --no-fund --loglevel=error || return 1
  node_version=$(node --version)
  node_version=${node_version#v}
  if [ "${node_version%%.*}" -lt 26 ]; then
    early=$(mktemp -d "$root/.cache/node-XXXXXX") || return 1
    cp node_modules/node-linux-*/bin/node "$early/node" &&
      PATH=$early:$PATH NODE_NO_WARNINGS=1 npm ci --no-audit --no-fund --loglevel=error
    early_status=$?
    rm -rf "$early"
    [ "$early_status" -eq 0 ] || return 1
  fi
  # npm 9 throws away what belongs to the Node packages of other platforms, with it the link to Node that all of them
  # share.
  [ -e node_modules/.bin/node ] || npm rebuild --loglevel=error
}

# Node packages as in the lockfile, if they are missing or older than it. Parallel runs wait for each other.
install_node_packages() {
  node_packages_are_fresh && return 0
  mkdir -p "$root/.cache"
  (
    if command -v flock >/dev/null 2>&1; then flock 9; fi
    node_packages_are_fresh && exit 0
    say 'set-up: installing the Node packages of package-lock.json (npm ci)'
    : >"$root/.cache/npm-ci.unfinished"
    cd "$root" && install_with_npm >&2 && rm -f "$root/.cache/npm-ci.unfinished"
  ) 9>"$root/.cache/npm-ci.lock" || {
    say 'set-up: npm ci failed'
    exit 1
  }
  if ! "$root/node_modules/.bin/node" --version >/dev/null; then
    say "set-up: the Node that npm installed does not run on this machine ($(uname -sm))"
    exit 1
  fi
}

# The file compared is the last that npm writes.
node_packages_are_fresh() {
  installed=$root/node_modules/.package-lock.json
  [ ! -e "$root/.cache/npm-ci.unfinished" ] && [ -e "$installed" ] && [ -e "$root/node_modules/.bin/node" ] &&
    [ -z "$(find "$root/package-lock.json" -newer "$installed")" ]
}

install_debian_packages() {
  if [ "$(id -u)" -ne 0 ]; then
    say "Missing on this machine: $*"
    say "Run: sudo apt-get install --no-install-recommends $*"
    exit 3
  fi
  say "set-up: installing $* (apt-get)"
  apt_log=$(mktemp)
  case " $* " in *' postgresql '*) forbid_postgres_cluster ;; esac
  # An index that cannot be refreshed may still do; the installation tells.
  apt-get -q update >"$apt_log" 2>&1 || say 'set-up: apt-get update failed; going on with the index there is'
  if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends "$@" >>"$apt_log" 2>&1 </dev/null; then
    tail -n 30 "$apt_log" >&2
    rm -f "$apt_log"
    allow_postgres_cluster
    say 'set-up: apt-get could not install what is missing'
    exit 1
  fi
  rm -f "$apt_log"
  allow_postgres_cluster
}

# Debian's postgresql makes and starts a cluster when it is installed, unless told otherwise in a file that it reads. We
# tell it so for the time of our installation only; somebody who wants a cluster later gets it as ever.
postgres_conf=/etc/postgresql-common/createcluster.d/holdfast-setup.conf
forbid_postgres_cluster() {
  trap allow_postgres_cluster EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir -p "${postgres_conf%/*}" && printf 'create_main_cluster = false\n' >"$postgres_conf"
}
allow_postgres_cluster() {
  [ ! -e "$postgres_conf" ] || rm -f "$postgres_conf"
  rmdir "${postgres_conf%/*}" 2>/dev/null || :
}

is_debian_like() {
  [ -r /etc/os-release ] || return 1
  (
    # shellcheck source=/dev/null
    . /etc/os-release
    case " ${ID:-} ${ID_LIKE:-} " in *' debian '* | *' ubuntu '*) exit 0 ;; esac
    exit 1
  )
}

# Fills `packages` and `programs` with what is missing of the sets.
find_missing() {
  packages='' programs=''
  for set in "$@"; do
    if [ "$set" = base ] && ! node_packages_are_fresh && ! npm_is_usable; then
      packages="$packages nodejs npm"
      programs="$programs
  npm (7 or newer)"
    fi
    list=$(requirements "$set") || exit 1
    while IFS='|' read -r probes package program; do
      is_present "$probes" && continue
      case " $packages " in *" $package "*) continue ;; esac
      packages="$packages $package"
      programs="$programs
  $program"
    done <<LIST
$list
LIST
  done
}

setup() {
  case " $* " in
    *' host '*) ;;
    *' lab '*) set -- "$@" host ;;
  esac
  find_missing "$@"
  if [ -n "$packages" ]; then
    if ! is_debian_like; then
      say "Please install, by the means of this system:$programs"
      exit 3
    fi
    # shellcheck disable=SC2086 # a list of words
    install_debian_packages $packages
    find_missing "$@"
    if [ -n "$packages" ]; then
      say "Installed, and yet this is missing:$programs"
      exit 1
    fi
  fi
  case " $* " in *' base '*) install_node_packages ;; esac
  case " $* " in *' portal '*) build_portal ;; esac
}

# The portal as its sources are now; nothing is done where it is so already.
build_portal() {
  mkdir -p "$root/.cache"
  (
    if command -v flock >/dev/null 2>&1; then flock 9; fi
    "$root/node_modules/.bin/node" --disable-warning=ExperimentalWarning "$root/scripts/build-portal.ts" >&2
  ) 9>"$root/.cache/portal.lock" || {
    say 'set-up: building the portal failed'
    exit 1
  }
}
