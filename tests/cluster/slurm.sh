#!/usr/bin/env bash
# A fill on a real Slurm, on one machine: a job array of four tasks, of which one is cancelled mid-way and requeued, one
# requeued while it runs, and one killed with -9 and requeued; then the same through Hydra's submitit launcher. At the end
# of each, the sealed shards must hold the plan exactly once. Not part of `make test`.
#
#     sudo tests/cluster/slurm.sh WORK_FOLDER [LOG]
#
# Run it as root on Debian or Ubuntu, with the `echo-augment` command on the PATH and its extra installed:
# pip install "echo-augment[slurm]". It installs slurm-wlm and munge where they are missing, runs munged, slurmctld and
# slurmd with a configuration, key and socket of their own in WORK_FOLDER, and stops them by their process ids. LOG gets
# everything that is said here, without this machine's names. CLIPS and STEPS size each fill, CPUS is what Slurm believes
# to have (one for each task, however many there are), PORT and the next are the daemons', PARTS says which fills are done.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: slurm.sh WORK_FOLDER [LOG]}"
work=$(cd "$1" && pwd)
log=${2:-$work/slurm.log}
host=$(hostname -s)
clips=${CLIPS:-24} steps=${STEPS:-4} world=4
cpus=${CPUS:-$world} port=${PORT:-16817} parts=${PARTS:-array submitit}
python=$(head -1 "$(command -v echo-augment)" | cut -c3-)
export OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 SLURM_CONF=$work/slurm.conf
daemons=() watched=

scrub() { sed -u -e 's/.*\r//' -e '/^verify:/d' -e "s#$work#WORK#g" -e "s#$here#tests/cluster#g" -e "s#$(dirname "$python")#BIN#g" -e "s#\b$host\b#HOST#g"; }
say() { echo "$(date -u +%H:%M:%S) $*"; }
fail() { say "FAILED: $*"; exit 1; }
shares() { "$python" "$here/shares.py" "$1" $world; }
state() { scontrol show job "$1" 2>/dev/null | grep -o 'JobState=[A-Z_]*' | head -1 | cut -d= -f2; }

wait_for() { # SECONDS WHAT COMMAND...: until the command succeeds
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < until)) || fail "no $what"
        [[ -z $watched ]] || ! is_state "$watched" FAILED || { cat "$work"/log/array-*.out; fail "$watched has failed"; }
        sleep 1
    done
}
is_state() { [[ $(state "$1") =~ ^($2)$ ]]; }
queued() { squeue -h -r -o %F -n fill | sort -n | tail -1 | grep . >"$work/log/queued"; }
is_up() { scontrol ping 2>/dev/null | grep -q "is UP"; }
is_idle() { sinfo -h -o %T 2>/dev/null | grep -q idle; }
midway() { grep -q "clips are there; the other" "$1" 2>/dev/null; } # said when a task's first clips are stored
ended() { local task; for task in $(seq 0 $((world - 1))); do is_state "$1_$task" "COMPLETED" || return 1; done; }

show() { # FILE: what a task said, without progress bars and libraries' warnings
    tr '\r' '\n' <"$1" | grep -E 'clips (are there|in )|interrupted|error|signal|equeue|Killed' || true
}

stop_daemons() {
    local pid
    scancel --user=root 2>/dev/null || true
    for ((k = 0; k < 90; k++)); do
        [[ -n $(squeue -h 2>/dev/null) ]] || break
        sleep 1
    done
    for ((k = ${#daemons[@]} - 1; k >= 0; k--)); do
        pid=${daemons[k]}
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    say "daemons stopped: ${#daemons[@]}"
}

start_daemons() {
    if ! command -v slurmctld slurmd munged >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >"$work/apt.log" 2>&1
    fi
    mkdir -p "$work"/{state,spool,log} && chmod 755 "$work"
    rm -rf "$work"/{state,spool,log,munge}/*
    # munged wants a folder that only its user can write to, and may not run as root
    install -d -o munge -g munge -m 755 "$work/munge"
    dd if=/dev/urandom of="$work/munge/key" bs=64 count=1 status=none
    chown munge:munge "$work/munge/key" && chmod 400 "$work/munge/key"
    cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdLogFile=$work/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=60
MinJobAge=7200
BatchStartTimeout=120
MessageTimeout=60
SlurmdTimeout=600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    setpriv --reuid=munge --regid=munge --clear-groups munged --foreground --force --key-file="$work/munge/key" \
        --socket="$work/munge/socket" --pid-file="$work/munge/pid" --log-file="$work/munge/log" \
        --seed-file="$work/munge/seed" >"$work/log/munged.log" 2>&1 &
    daemons+=($!)
    wait_for 60 "munge socket" test -S "$work/munge/socket"
    slurmctld -D -c >/dev/null 2>&1 &
    daemons+=($!)
    wait_for 60 "slurmctld" is_up
    slurmd -D -c >/dev/null 2>&1 &
    daemons+=($!)
    wait_for 120 "idle node" is_idle
    say "Slurm $(sinfo --version | cut -d' ' -f2) runs: $(sinfo -h -o '%D node, %c CPUs, %T')"
}

check() { # FOLDER
    "$python" "$here/shares.py" "$1" $world --exactly-once || fail "the plan is not there exactly once"
    echo-augment cache action=verify cache="$1" out="$1-verify" || fail "verify found damage"
}

settings() { # FOLDER: of both fills
    echo "data=echonet data.root=$work/data out=$1 n=$clips steps=$steps batch=2 shard_clips=2 device=cpu"
}

fill_as_array() {
    local out=$work/array job
    rm -rf "$out"
    cat >"$work/fill.sbatch" <<SBATCH
#!/bin/bash
#SBATCH --job-name=fill --array=0-$((world - 1)) --cpus-per-task=1 --requeue --open-mode=append
#SBATCH --output=$work/log/array-%a.out
echo \$\$ >$work/log/pid-\$SLURM_ARRAY_TASK_ID
exec echo-augment fill-cache $(settings "$out")
SBATCH
    job=$(sbatch --parsable "$work/fill.sbatch")
    watched=${job}_0
    say "job array $job: four tasks, ranks from the array's own numbers"
    wait_for 3600 "clips of task 1" midway "$work/log/array-1.out"
    scancel "${job}_1"
    say "task 1 cancelled mid-way (SIGTERM)"
    wait_for 3600 "clips of task 2" midway "$work/log/array-2.out"
    scontrol requeue "${job}_2"
    say "task 2 requeued while it ran"
    wait_for 3600 "clips of task 3" midway "$work/log/array-3.out"
    kill -9 "$(<"$work/log/pid-3")"
    say "task 3 killed with -9"
    wait_for 120 "end of task 1" is_state "${job}_1" "CANCELLED"
    wait_for 120 "end of task 3" is_state "${job}_3" "FAILED"
    say "task 1 is $(state "${job}_1"), task 3 is $(state "${job}_3"); sealed by rank: $(shares "$out")"
    scontrol requeue "${job}_1"
    scontrol requeue "${job}_3"
    say "tasks 1 and 3 requeued"
    wait_for 3600 "end of the array" ended "$job"
    watched=
    say "all tasks COMPLETED; restarts by task: $(for k in 0 1 2 3; do scontrol show job "${job}_$k" | grep -o 'Restarts=[0-9]*' | cut -d= -f2; done | xargs)"
    for k in 0 1 2 3; do
        echo "--- output of task $k"
        show "$work/log/array-$k.out"
    done
    echo "---"
    check "$out"
}

# submitit asks the accounting database for states. This Slurm has none, so the controller answers.
answer_for_sacct() {
    mkdir -p "$work/bin"
    cat >"$work/bin/sacct" <<'SACCT'
#!/bin/bash
echo "JobID|State|NodeList"
while (($#)); do
    [[ $1 != -j ]] || scontrol --oneliner show job "$2" | sed -nE \
        's/.*ArrayJobId=([0-9]+) ArrayTaskId=([0-9]+) .*JobState=([A-Z_]+).* NodeList=([^ ]*).*/\1_\2|\3|\4/p'
    shift
done
SACCT
    chmod +x "$work/bin/sacct"
    export PATH=$work/bin:$PATH
}

fill_through_submitit() {
    local out=$work/submitit job launcher logs
    rm -rf "$out"
    answer_for_sacct
    say "echo-augment fill-cache -m hydra/launcher=submitit_slurm rank=0,1,2,3 world=$world"
    # shellcheck disable=SC2046
    echo-augment fill-cache -m hydra/launcher=submitit_slurm hydra.launcher.timeout_min=120 \
        hydra.launcher.cpus_per_task=1 hydra.launcher.name=fill rank=0,1,2,3 world=$world $(settings "$out") \
        >"$work/log/launcher.out" 2>&1 &
    launcher=$!
    wait_for 3600 "array in the queue" queued
    job=$(<"$work/log/queued")
    logs=$out/.submitit/${job}
    wait_for 3600 "clips of job 1" midway "${logs}_1/${job}_1_0_log.out"
    scancel --signal=USR2 "${job}_1"
    say "job ${job}_1 got SIGUSR2, as before the end of its time"
    wait_for 3600 "clips of job 2" midway "${logs}_2/${job}_2_0_log.out"
    scontrol requeue "${job}_2"
    say "job ${job}_2 requeued while it ran; sealed by rank: $(shares "$out")"
    wait $launcher || { tail -20 "$work/log/launcher.out"; fail "the launcher ended with an error"; }
    say "the launcher has ended; restarts by job: $(for k in 0 1 2 3; do scontrol show job "${job}_$k" | grep -o 'Restarts=[0-9]*' | cut -d= -f2; done | xargs)"
    for k in 0 1 2 3; do
        echo "--- output of job $k"
        show "${logs}_$k/${job}_${k}_0_log.out"
    done
    echo "---"
    check "$out"
}

main() {
    [[ $(id -u) == 0 ]] || fail "run this as root"
    trap stop_daemons EXIT
    start_daemons
    [[ -f $work/data/phantoms.json ]] || echo-augment phantom out="$work/data" n=12 frames=80 workers=1 2>/dev/null
    [[ $parts != *array* ]] || fill_as_array
    [[ $parts != *submitit* ]] || fill_through_submitit
    say "everything is as it should be"
}

main 2>&1 | scrub | tee "$log"
exit "${PIPESTATUS[0]}"
