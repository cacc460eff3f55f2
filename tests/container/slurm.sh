#!/usr/bin/env bash
# A real SLURM of one node on this machine, for tests: munge, slurmctld and slurmd of Debian or
# Ubuntu, with all of their files in one folder and on loopback alone.
#
#   slurm.sh FOLDER
#
# installs slurm-wlm and munge where they are missing, prints "ready" once jobs can be submitted
# (with SLURM_CONF=FOLDER/slurm.conf), and lasts until its standard input ends: so nothing is left
# running where whoever started it is killed. "skip: REASON" and status 77 where it cannot be had.
# Jobs run as root. Two partitions: main, and urgent, whose jobs preempt main's.
set -euo pipefail
folder=${1:?folder}
conf=$folder/slurm.conf
host=$(hostname -s)
daemons=()

skip() {
  echo "skip: $*"
  exit 77
}

ends() {
  local i
  if [ -s "$conf" ]; then
    export SLURM_CONF=$conf
    timeout 5 scancel --quiet --user=root --signal=KILL --full 2>/dev/null || true
    timeout 5 scancel --quiet --user=root 2>/dev/null || true
    for _ in {1..20}; do # slurmd leaves running jobs behind
      [ -n "$(timeout 5 squeue --noheader 2>/dev/null || true)" ] || break
      sleep 0.5
    done
  fi
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
    kill "${daemons[i]}" 2>/dev/null || true
    wait "${daemons[i]}" 2>/dev/null || true
  done
}

starts() { # NAME COMMAND...: in the background, with a log of its own
  local name=$1
  shift
  "$@" >"$folder/$name.out" 2>&1 </dev/null &
  daemons+=($!)
}

until_true() { # COMMAND...: for three minutes
  for _ in {1..900}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  return 1
}

idle() {
  [ "$(sinfo --noheader --format=%T --partition=main)" = idle ]
}

free_port() { # NOT: one that nobody listens on
  local port
  for port in $(shuf -i 20000-29999 -n 50); do
    if [ "$port" != "$1" ] && ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

[ "$(uname -s)" = Linux ] || skip "SLURM runs on Linux"
[ "$(id -u)" = 0 ] || skip "a SLURM of one's own needs root"
mkdir -p "$folder"/{state,spool}
chmod 755 "$folder" # munged refuses a folder that others can write to
if ! { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null; then
  {
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
  } >"$folder/apt.out" 2>&1 </dev/null || skip "slurm-wlm cannot be installed: see $folder/apt.out"
fi
trap ends EXIT
trap 'exit 143' TERM INT

# - two CPUs and 4 GB, whatever the machine has: two jobs of one CPU run side by side everywhere
# - KillWait is SLURM's default, as at most sites
# - jobs that have ended stay visible for an hour: there is no accounting to ask
cat >"$conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port 0)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=30
MinJobAge=3600
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=$host MaxTime=INFINITE PriorityTier=2 State=UP
CONF
echo "SlurmdPort=$(free_port "$(sed -n 's/^SlurmctldPort=//p' "$conf")")" >>"$conf"
export SLURM_CONF=$conf

(
  umask 077
  head -c 1024 /dev/urandom >"$folder/munge.key"
)
starts munged munged --foreground --force --key-file="$folder/munge.key" \
  --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
until_true test -S "$folder/munge.socket" || skip "munged does not start: see $folder/munged.log"
starts slurmctld slurmctld -D
until_true scontrol ping || skip "slurmctld does not start: see $folder/slurmctld.log"
starts slurmd slurmd -D -N "$host"
until_true idle || skip "no idle node: see $folder/slurmd.log"
echo ready
while read -r _; do :; done # until standard input ends
