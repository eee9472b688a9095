#!/bin/sh
# Cleans up after a lab whose process was killed: waits until the pipe on its standard input closes, which the kernel
# does however that process ends, then ends what still runs in the lab's directory and removes it. An orderly end
# writes a line first. Arguments: the lab's directory.
lab=$1
case $lab in
  /*/hf-*) ;;
  *) exit 2 ;;
esac
read -r farewell && exit 0
# Only the programs a lab runs; a person's shell in the directory is left alone.
ours() {
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null) || continue
    case ${line%% *} in qemu-* | */qemu-* | libvirtd | */libvirtd | */virtlogd) ;; *) continue ;; esac
    here=$(readlink "$process/cwd" 2>/dev/null)
    case "$line $here/" in *"$lab/"*) echo "${process#/proc/}" ;; esac
  done
}
round=0
while [ $round -lt 20 ]; do
  pids=$(ours)
  [ -z "$pids" ] && break
  # shellcheck disable=SC2086
  kill -9 $pids 2>/dev/null
  sleep 0.1
  round=$((round + 1))
done
if [ -s "$lab/loops" ]; then
  while read -r device owner; do
    # A device given back earlier may be in someone else's hands by now.
    case $(losetup --noheadings --output BACK-FILE "$device" 2>/dev/null) in "$lab/"*) ;; *) continue ;; esac
    losetup --detach "$device"
    chown "$owner" "$device"
  done <"$lab/loops" 2>/dev/null
fi
rm -rf -- "$lab"
