#!/usr/bin/env bash
# Run COMMAND beside a Slurm of its own: munged, slurmctld and two nodes on this machine.
#
# usage: tests/cluster/with_slurm.sh FOLDER COMMAND [ARGS ...]        (as root)
#
# FOLDER, which is made, takes configuration, keys, logs and state; nothing else on the machine is
# touched. COMMAND finds the cluster by SLURM_CONF. When it ends, or this script is told to, jobs
# are cancelled and the daemons stop; the exit code is that of COMMAND. Packages of Debian:
# slurm-wlm, munge.
#
# Partitions: `main`, `urgent` (its jobs have those of `main` requeued) and `short` (2 minutes).
# Each node has 8 CPUs, whatever the machine has, 4 GB and 2 GPUs that only Slurm believes in.
# There is no accounting database, so no sacct.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
export PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$1"
FOLDER=$(cd "$1" && pwd) COMMAND=("${@:2}") pids=()
export SLURM_CONF="$FOLDER/slurm.conf"

fail() { echo "error: $*" >&2; exit 1; }

# a Slurm elsewhere must not be talked to by mistake
unset "${!SLURM_JOB@}" "${!SBATCH_@}" "${!SALLOC_@}" "${!SRUN_@}"
[ "$(id -u)" = 0 ] || fail "Slurm's daemons need root"
for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null || fail "$program is not installed: apt-get install slurm-wlm munge"
done

stop() {
    set +e
    trap '' TERM INT HUP
    timeout 5 scancel --user="$(id -un)" 2>/dev/null
    for _ in {1..50}; do
        [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
        sleep 0.1
    done
    kill "${pids[@]}" 2>/dev/null
    for _ in {1..50}; do
        kill -0 "${pids[@]}" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "${pids[@]}" 2>/dev/null
}

# daemons stay children of this script and leave its input and output alone
start() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$FOLDER/$name.log" 2>&1 &
    pids+=($!)
}

# three ports that nobody listens on, as the moment has it
read -r -a PORTS < <(python3 - <<'PYTHON'
import socket
found = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in found))
PYTHON
)
HOST=$(hostname -s)
cat >"$SLURM_CONF" <<CONF
ClusterName=tests
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=${PORTS[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a job that is requeued waits until the credential of its last start has expired
AuthInfo=socket=$FOLDER/munge.socket,cred_expire=5
StateSaveLocation=$FOLDER/state
SlurmctldPidFile=$FOLDER/slurmctld.pid
SlurmdPidFile=$FOLDER/%n.pid
SlurmdSpoolDir=$FOLDER/%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=2
InactiveLimit=0
GresTypes=gpu
NodeName=node1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=${PORTS[1]} CPUs=8 RealMemory=4000 Gres=gpu:2
NodeName=node2 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=${PORTS[2]} CPUs=8 RealMemory=4000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=UNLIMITED PriorityTier=2
PartitionName=short Nodes=node1 MaxTime=00:02:00 PriorityTier=1
CONF
printf "Name=gpu File=%s\n" /dev/null /dev/zero >"$FOLDER/gres.conf"
mkdir -p "$FOLDER"/{state,node1,node2}
(umask 077; head -c 1024 /dev/urandom >"$FOLDER/munge.key")

trap stop EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT
# --force: folders that only root may enter will do, for root
start munged munged --foreground --force --key-file="$FOLDER/munge.key" \
    --socket="$FOLDER/munge.socket" --pid-file="$FOLDER/munged.pid" \
    --seed-file="$FOLDER/munged.seed" --log-file="$FOLDER/munged.messages"
for _ in {1..100}; do [ ! -S "$FOLDER/munge.socket" ] || break; sleep 0.1; done
start slurmctld slurmctld -D
start node1 slurmd -D -N node1
start node2 slurmd -D -N node2
for _ in {1..300}; do
    kill -0 "${pids[@]}" 2>/dev/null || break
    [ "$(timeout 5 sinfo --noheader --partition=main --states=idle --format=%D 2>/dev/null)" != 2 ] || ready=1
    [ -z "${ready:-}" ] || break
    sleep 0.1
done
[ -n "${ready:-}" ] || fail "Slurm does not start: $(tail -n 3 "$FOLDER"/*.log)"

"${COMMAND[@]}"
