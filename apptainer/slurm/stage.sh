# What the jobs share, sourced by them: `stage WORDS` runs `interactivenet WORDS` in the container
# and ends it in time; `infer WORDS` is the stage infer of the new cases.  submit.sh exports the
# variables.
# shellcheck shell=bash
#
# What ends a job early:
#   scancel, scontrol requeue, preemption: SLURM sends SIGTERM, with ProctrackType=proctrack/cgroup
#     to this shell alone, else to every process of the job, SIGKILL KillWait (30 s) later, and
#     knows by itself whether the job goes back into the queue.
#   the time limit: SIGUSR1, to this shell alone and some minutes before (#SBATCH --signal). The
#     program is asked to end, then this script puts the job back into the queue.
# The program finishes the current step, saves and ends with 143; the same line continues it later.
# So a trap only has to keep this shell alive meanwhile: where it ends, SLURM kills the rest.

program='' asked='' binds=()
trap 'asked=TERM; to_program' TERM
trap 'asked=${asked:-USR1}; to_program' USR1

to_program() { # a program that got SIGTERM already takes a second one at once for the same
  [ -z "$program" ] || kill -TERM "$program" 2>/dev/null
}

stage() {
  local status words=(exec)
  [ -z "$NV" ] || words+=("$NV")
  # nothing of this machine gets in but what is named here
  words+=(--cleanenv --no-mount "home,cwd" -B "$RESULTS:/results")
  [ ! -d "$DATA" ] || words+=(-B "$DATA:/data") # new cases need none
  words+=("${binds[@]}")
  words+=(--env "OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}")
  # which cards are this job's, where the cluster does not hide the others
  [ -z "${CUDA_VISIBLE_DEVICES:-}" ] || words+=(--env "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES")
  [ -z "${MLFLOW_TRACKING_URI:-}" ] || words+=(--env "MLFLOW_TRACKING_URI=$MLFLOW_TRACKING_URI")

  [ -z "$asked" ] || back_to_queue
  printf '%s %s, start %s: interactivenet %s\n' "$(date '+%F %T')" "$(hostname -s)" \
    $((${SLURM_RESTART_COUNT:-0} + 1)) "$*"
  # in the background, since bash obeys a trap only between commands, or in wait
  apptainer "${words[@]}" "$SIF" interactivenet "$@" &
  program=$!
  while kill -0 "$program" 2>/dev/null; do wait "$program"; done # a signal ends wait, too
  wait "$program"
  status=$?
  program=''
  [ "$status" -ne 143 ] || back_to_queue
  [ "$status" -eq 0 ] || echo "interactivenet $1: exit status $status"
  return "$status"
}

infer() {
  local more words=(-i /images -in /points -o /output)
  binds=(-B "$IMAGES:/images:ro" -B "$POINTS:/points:ro" -B "$OUTPUT:/output")
  [ -z "$TASK" ] || words+=(-t "$TASK")
  if [ -e "$MODEL" ]; then # a folder or a zip, and no name
    binds+=(-B "$MODEL:/model/${MODEL##*/}:ro")
    words+=(--model "/model/${MODEL##*/}")
  elif [ -n "$MODEL" ]; then
    words+=(--model "$MODEL")
  fi
  if [ -n "$LABELS" ]; then
    binds+=(-B "$LABELS:/labels:ro")
    words+=(-l /labels)
  fi
  read -r -a more <<<"$INFER_ARGS"
  stage infer "${words[@]}" "${more[@]}" "$@"
}

back_to_queue() { # only what the time limit ended: scancel has to be the end
  local job=$SLURM_JOB_ID
  if [ "$asked" = USR1 ]; then
    # the last task of an array has the array's own number, which would restart every fold
    [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    # a time limit that is shorter than what comes before the first checkpoint would never end
    [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ] || {
      echo "the time limit is near, for the 100th time: run submit.sh again to continue"
      exit 143
    }
    echo "the time limit is near: job $job goes back into the queue"
    scontrol requeue "$job" || echo "it cannot be requeued: run submit.sh again to continue"
  fi
  exit 143
}
