#!/usr/bin/env bash
# Stop what start.sh started, and only that: jobs, daemons (by their pid files), links in /etc/slurm.
# usage: stop.sh FOLDER
run=$1
if [ "$(readlink /etc/slurm/slurm.conf)" = "$run/slurm.conf" ]; then
  timeout 10 scancel --user=root 2>/dev/null
  for _ in $(seq 1 20); do
    [ -z "$(timeout 5 squeue -h -t running,completing 2>/dev/null)" ] && break
    sleep 0.5
  done
fi
# a number in an old pid file may be another program's by now
runs() { [ "$(cat "/proc/$2/comm" 2>/dev/null)" = "${1%-n?}" ]; }
stop() {
  for name in "$@"; do
    pid=$(cat "$run/$name.pid" 2>/dev/null) && runs "$name" "$pid" && kill "$pid"
  done
  for name in "$@"; do
    pid=$(cat "$run/$name.pid" 2>/dev/null) || continue
    for _ in $(seq 1 40); do
      runs "$name" "$pid" || break
      sleep 0.25
    done
    if runs "$name" "$pid"; then kill -9 "$pid"; fi
    rm -f "$run/$name.pid"
  done
}
stop slurmd-n1 slurmd-n2 slurmctld
# what ran on a node that was lost goes on by itself
for place in /proc/[0-9]*; do
  if grep -qzx 'SLURM_CLUSTER_NAME=tpcavtests' "$place/environ" 2>/dev/null; then
    kill -9 "${place#/proc/}" 2>/dev/null
  fi
done
stop munged
for file in slurm.conf gres.conf; do
  if [ "$(readlink "/etc/slurm/$file")" = "$run/$file" ]; then rm -f "/etc/slurm/$file"; fi
done
exit 0
