#!/bin/sh
# The first and only program of a lab guest; runs in an initramfs of busybox and the QEMU guest agent.
# Kernel parameters: lab.disks=vda,vdb (mounted at /mnt/NAME), lab.agent=1, lab.counter=1.
PATH=/bin:/sbin:/usr/sbin
export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "/modules/$module.ko" || echo "lab: cannot insert $module"
done </modules/order

disks= agent= counter=
for word in $(cat /proc/cmdline); do
  case $word in
    lab.disks=*) disks=$(echo "${word#lab.disks=}" | tr , ' ') ;;
    lab.agent=1) agent=1 ;;
    lab.counter=1) counter=1 ;;
  esac
done

mounted=
for disk in $disks; do
  tries=0
  while [ ! -b "/dev/$disk" ] && [ $tries -lt 100 ]; do
    usleep 50000
    tries=$((tries + 1))
  done
  mkdir -p "/mnt/$disk"
  if mount -t ext4 -o noatime,noinit_itable,errors=remount-ro "/dev/$disk" "/mnt/$disk"; then
    mounted="$mounted $disk"
    echo "lab: mounted $disk"
  else
    echo "lab: cannot mount $disk"
  fi
done

if [ -n "$agent" ]; then
  port=
  tries=0
  while [ -z "$port" ] && [ $tries -lt 100 ]; do
    for name in /sys/class/virtio-ports/*/name; do
      [ -e "$name" ] || continue
      [ "$(cat "$name")" = org.qemu.guest_agent.0 ] && port=$(basename "$(dirname "$name")")
    done
    [ -n "$port" ] || usleep 50000
    tries=$((tries + 1))
  done
  qemu-ga --daemonize --method=virtio-serial --path="/dev/$port" --statedir=/var/run \
    --fsfreeze-hook=/etc/qemu/fsfreeze-hook --logfile=/var/log/qemu-ga.log || echo "lab: no agent"
fi

# Disk after disk in the same order, each round durable before the next: at any instant the counters of two disks
# are equal, or the earlier disk is one ahead. Writing in place keeps the file within its one block.
count_up() {
  round=0
  for disk in $mounted; do
    [ -e "/mnt/$disk/counter" ] || continue
    seen=$(sed 's/^0*//' "/mnt/$disk/counter")
    [ "${seen:-0}" -gt "$round" ] && round=$seen
  done
  while :; do
    round=$((round + 1))
    for disk in $mounted; do
      printf '%020d\n' "$round" | dd of="/mnt/$disk/counter" conv=notrunc,fsync 2>/dev/null
    done
    usleep 50000
  done
}
if [ -n "$counter" ]; then
  count_up &
  echo $! >/var/run/counter.pid
fi

echo "lab: ready"
while :; do sleep 3600; done
