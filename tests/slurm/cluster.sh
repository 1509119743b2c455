#!/bin/bash
# A one-machine Slurm cluster in the folder $1, on the ports $2 and $2 + 1: its own munge key and socket, no systemd, no
# control groups, loopback only. Usage: cluster.sh up|down DIR [PORT]. Needs root and the packages munge, slurmctld,
# slurmd and slurm-client.
set -euo pipefail

ACTION=$1 DIR=$2 PORT=${3:-0} HOST=$(hostname -s)
CPUS=${GLUE_SLURM_CPUS:-8} # more than there are: jobs share cores
export SLURM_CONF=$DIR/slurm.conf

# Ends a daemon whose process id is in a file, if it was started with this configuration.
stop() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  { tr '\0' '\n' < "/proc/$pid/environ"; } 2>/dev/null | grep -qxF "SLURM_CONF=$SLURM_CONF" || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
}

if [ "$ACTION" = down ]; then
  timeout 10 scancel --signal=KILL --full --user="$(id -un)" 2>/dev/null || true
  for daemon in slurmd slurmctld; do stop "$DIR/$daemon.pid"; done
  stop "$DIR/munge/munged.pid"
  exit 0
fi

run() { env -i PATH="$PATH" LANG=C.UTF-8 SLURM_CONF="$SLURM_CONF" "$@"; }
install -d -m 755 "$DIR/state" "$DIR/spool"
install -d -m 755 -o munge -g munge "$DIR/munge"
install -d -m 700 -o munge -g munge "$DIR/munge/private"
(umask 077; head -c 1024 /dev/urandom > "$DIR/munge/private/key")
chown munge:munge "$DIR/munge/private/key"
run runuser -u munge -- munged --num-threads=2 --socket="$DIR/munge/socket" --key-file="$DIR/munge/private/key" \
  --pid-file="$DIR/munge/munged.pid" --log-file="$DIR/munge/private/log" --seed-file="$DIR/munge/private/seed"

cat > "$SLURM_CONF" <<CONF
ClusterName=glue-tui-test
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
CredType=cred/munge
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmctldPidFile=$DIR/slurmctld.pid
SlurmdPidFile=$DIR/slurmd.pid
SlurmctldLogFile=$DIR/slurmctld.log
SlurmdLogFile=$DIR/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MaxArraySize=10001
JobRequeue=1
KillWait=30
MinJobAge=600
AccountingStorageType=accounting_storage/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=1000 State=UNKNOWN
PartitionName=batch Nodes=$HOST Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=60 MaxTime=INFINITE DefaultTime=60 State=UP
PartitionName=urgent Nodes=$HOST PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE DefaultTime=60 State=UP
CONF
run slurmctld -f "$SLURM_CONF" </dev/null >/dev/null 2>&1
run slurmd -f "$SLURM_CONF" -N "$HOST" </dev/null >/dev/null 2>&1
for _ in $(seq 60); do
  if timeout 5 sinfo -h -N -o %T 2>/dev/null | grep -q idle; then exit 0; fi
  sleep 0.5
done
tail -n 5 "$DIR/slurmctld.log" "$DIR/slurmd.log" >&2
exit 1
