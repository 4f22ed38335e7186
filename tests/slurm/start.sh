#!/usr/bin/env bash
# Start a throw-away Slurm on this machine: munged, slurmctld, and two slurmd, n2 with two fake GPUs.
# usage: start.sh FOLDER   (root; a short path, sockets live there)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run=$1
for file in slurm.conf gres.conf; do
  if [ -e "/etc/slurm/$file" ] || [ -L "/etc/slurm/$file" ]; then
    echo "/etc/slurm/$file exists: a Slurm of this machine, or one that was not stopped" >&2
    exit 1
  fi
done
mkdir -p "$run"/{state,spool-n1,spool-n2,log,munge}
chmod 0755 "$run"
chmod 0700 "$run/munge"
# any character device will do, slurmd only looks whether it is there
printf '%s\n' 'AutoDetect=off' 'NodeName=n2 Name=gpu Type=fake File=/dev/null' \
  'NodeName=n2 Name=gpu Type=fake File=/dev/zero' >"$run/gres.conf"
sed -e "s#@RUN@#$run#g" -e "s#@HOST@#$(hostname -s)#g" \
  -e "s#@CPUS@#${SLURM_TEST_CPUS:-4}#g" -e "s#@MEMORY@#${SLURM_TEST_MEMORY:-24000}#g" \
  -e "s#@PORT0@#16917#g" -e "s#@PORT1@#16918#g" -e "s#@PORT2@#16919#g" \
  "$here/slurm.conf.in" >"$run/slurm.conf"
dd if=/dev/urandom of="$run/munge/munge.key" bs=1 count=1024 2>/dev/null
chmod 0400 "$run/munge/munge.key"
munged --force --key-file="$run/munge/munge.key" --socket="$run/munge.sock" \
  --pid-file="$run/munged.pid" --log-file="$run/log/munged.log" \
  --seed-file="$run/munge/seed" --num-threads=2
# Snakemake's job step drops SLURM_CONF, so the configuration has to be where Slurm looks by itself
mkdir -p /etc/slurm
ln -s "$run/slurm.conf" /etc/slurm/slurm.conf
ln -s "$run/gres.conf" /etc/slurm/gres.conf
slurmctld -c
for node in n1 n2; do slurmd -N "$node"; done
for _ in $(seq 1 60); do
  [ "$(sinfo -h -o %T -p cpu 2>/dev/null | sort -u)" = idle ] && break
  sleep 0.5
done
# idle is not settled: a node that is still registering can remove the script of its first job
for node in n1 n2; do
  for _ in $(seq 1 5); do
    timeout 20 sbatch --wait --quiet --job-name=settled --nodelist="$node" --output=/dev/null \
      --chdir=/ --wrap=true && continue 2
  done
  echo "$node runs no job: $(sinfo -N 2>&1 | tr '\n' ';')" >&2
  exit 1
done
