#!/bin/sh
# Holdfast freeze hook 1
#
# Runs an administrator's pre- and post-script around the moment at which a guest's file systems are frozen for a
# backup, so that applications can bring their files into order. Belongs into the directory of the QEMU guest agent's
# freeze hooks (/etc/qemu/fsfreeze-hook.d on Debian and its kin, /etc/qemu-ga/fsfreeze-hook.d on Red Hat's), owned by
# root, mode 755. The agent calls it with "freeze" before it freezes and with "thaw" after it has thawed; "check" prints
# what it would run.
#
# The scripts are named in VMSnapshotScriptPluginConfig.json, in Azure's format. That file has to be root's with mode
# 600, and the scripts root's with mode 700 or 500; otherwise nothing is run. What happened is written to the report,
# one key=value a line, the last line of a key counts.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 077

config=${HOLDFAST_SCRIPT_CONFIG:-/etc/azure/VMSnapshotScriptPluginConfig.json}
state=${HOLDFAST_STATE:-/run/holdfast}
report=$state/freeze-report
settings=$state/freeze-settings
owed=$state/post-owed

# A post-script that outlasts its backup has nothing to say in the report of the next.
run=
say() { [ -z "$run" ] || [ "$(head -n 1 "$report")" = "$run" ] || return 0; echo "$1" >>"$report"; }

# A flat JSON object to lines: key=value, and key[]=value for each element of an array. Escapes other than \" \\ \/ are
# refused, and so is everything deeper. The keys' case does not count.
flatten() {
  awk '
    function fail() { bad = 1; exit 1 }
    function skip() { sub(/^[ \t\r\n]+/, "", s) }
    function take(c) { skip(); if (substr(s, 1, 1) != c) fail(); s = substr(s, 2) }
    function string(  out, c) {
      take("\""); out = ""
      while (1) {
        if (match(s, /^[^"\\\n]+/)) { out = out substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1) }
        c = substr(s, 1, 1)
        if (c == "\"") { s = substr(s, 2); return out }
        if (c != "\\") fail()
        c = substr(s, 2, 1)
        if (c != "\"" && c != "\\" && c != "/") fail()
        out = out c; s = substr(s, 3)
      }
    }
    function scalar(  word) {
      skip()
      if (substr(s, 1, 1) == "\"") return string()
      if (!match(s, /^[-+.A-Za-z0-9]+/)) fail()
      word = substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1)
      return word
    }
    { s = s $0 "\n" }
    END {
      if (bad) exit 1
      take("{"); skip()
      if (substr(s, 1, 1) != "}") while (1) {
        key = tolower(string()); take(":"); skip()
        if (substr(s, 1, 1) == "[") {
          take("["); skip()
          if (substr(s, 1, 1) != "]") while (1) {
            print key "[]=" scalar(); skip()
            if (substr(s, 1, 1) != ",") break
            take(",")
          }
          take("]")
        } else print key "=" scalar()
        skip()
        if (substr(s, 1, 1) != ",") break
        take(",")
      }
      take("}"); skip()
      if (s != "") fail()
    }' "$1"
}

setting() { sed -n "s/^$1=//p" "$settings" | tail -n 1; }

# A number of the settings within bounds, or the default: number KEY DEFAULT LEAST MOST
number() {
  value=$(setting "$1")
  case $value in '' | *[!0-9]* | ??????*) value=$2 ;; esac
  [ "$value" -lt "$3" ] && value=$3
  [ "$value" -gt "$4" ] && value=$4
  echo "$value"
}

# Only root may be able to change what runs as root.
is_root_only() {
  [ "$(stat -c %u "$1")" = 0 ] && case $(stat -c %a "$1") in "$2" | "$3") true ;; *) false ;; esac
}

# Runs the script of one phase, "pre" or "post", as often as the settings say; its outcome is the report's.
run_script() {
  phase=$1
  path=$(setting "${phase}scriptlocation")
  if [ -z "$path" ]; then
    say "$phase=none"
    return 0
  fi
  say "$phase=running"
  case $path in /*) ;; *) path=/nowhere/$path ;; esac
  if [ ! -f "$path" ]; then
    say "$phase=not-found"
    return 1
  fi
  if ! is_root_only "$path" 700 500; then
    say "$phase=permission"
    return 1
  fi
  set --
  sed -n "s/^${phase}scriptparams\[\]=//p" "$settings" >"$settings.$phase"
  while IFS= read -r parameter; do set -- "$@" "$parameter"; done <"$settings.$phase"
  tries=$(($(number "${phase}scriptnoofretries" 0 0 10) + 1))
  seconds=$(number timeoutinseconds 30 1 1800)
  while [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    timeout -k 2 "$seconds" "$path" "$@" </dev/null >"$state/$phase.log" 2>&1
    status=$?
    if [ "$status" = 0 ]; then
      say "$phase=ok"
      return 0
    fi
  done
  # timeout's own status, or that of the signals it sends
  case $status in
    124 | 137 | 143) say "$phase=timeout" ;;
    *) say "$phase=failed $status" ;;
  esac
  return 1
}

begin() {
  mkdir -p "$state" || exit 0
  rm -f "$owed"
  echo "run=$(cat /proc/sys/kernel/random/uuid)" >"$report"
  if [ ! -e "$config" ]; then
    say scripts=none
    exit 0
  fi
  if ! is_root_only "$config" 600 400; then
    say scripts=permission
    exit 0
  fi
  if ! flatten "$config" >"$settings"; then
    say scripts=invalid
    exit 0
  fi
  say scripts=configured
  if run_script pre; then
    : >"$owed"
    exit 0
  fi
  # Without a freeze, nothing is left that makes the backup worth more than a crash: then it is not taken either.
  if [ "$(setting continuebackuponfailure)" = true ] && [ "$(setting fsfreezeenabled)" != false ]; then
    : >"$owed"
    exit 0
  fi
  say freeze=refused
  exit 1
}

# The post-script must not keep the agent from confirming the thaw, so it runs on its own.
finish() {
  mv "$owed" "$owed.taken" 2>/dev/null || exit 0
  rm -f "$owed.taken"
  run=$(head -n 1 "$report")
  say post=running
  run_script post </dev/null >/dev/null 2>&1 &
  exit 0
}

case $1 in
  freeze) begin ;;
  thaw) finish ;;
  check)
    echo "Holdfast freeze hook 1"
    [ -e "$config" ] && flatten "$config"
    exit 0
    ;;
  *) exit 0 ;;
esac
