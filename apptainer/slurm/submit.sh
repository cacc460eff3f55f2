#!/usr/bin/env bash
# Plan, train every fold and test a task on a SLURM cluster, as jobs that wait for each other:
# plan, then an array with a task for each fold, then test.  Or segment new cases with a trained
# model: an array with a task for each shard of them, then a job that gathers.
#
#   SIF=interactivenet.sif DATA=data RESULTS=results TASK=Task101_SARCOMA \
#     ./submit.sh [plan] [train] [test] [-- OPTIONS OF SBATCH]
#   SIF=interactivenet.sif RESULTS=results TASK=Task101_SARCOMA \
#     IMAGES=images POINTS=points OUTPUT=segmented SHARDS=50 ./submit.sh infer [gather] [-- ...]
#
#   ./submit.sh                                       plan, train and test
#   ./submit.sh -- --partition=gpu --account=radiology
#   ./submit.sh test                                  that one alone, at once
#   ./submit.sh gather                                what the shards have done so far, into one report
#
# Whatever went wrong, run the same line again: finished work is skipped, and a training continues
# from its checkpoint.
#
# Variables, and their defaults:
: "${SIF:=interactivenet.sif}" # the image
: "${DATA:=data}"              # folder with raw/TASK, checked by 'interactivenet dataset'; the plan
#                                writes processed/TASK beside it
: "${RESULTS:=results}"        # folder for weights, predictions, reports; the jobs' logs in slurm/
: "${TASK:=}"                  # TaskXXX_NAME
: "${FOLDS:=5}"                # how many: 5 trains folds 0 to 4
: "${EPOCHS:=500}"             # of each fold
: "${PLAN_ARGS=}"              # further options of each stage, such as '--preset small --seed 1'
: "${TRAIN_ARGS=}"
: "${TEST_ARGS=}"
: "${IMAGES:=}"                # of new cases: the folders that 'infer' takes, and where results go
: "${POINTS:=}"
: "${OUTPUT:=}"
: "${LABELS:=}"                # to compare with, where there are any
: "${MODEL:=}"                 # instead of the task's: a name, 'starter', a model's folder or zip
: "${SHARDS:=8}"               # jobs that share the cases; 50%10: fifty, ten of them at once
: "${INFER_ARGS=}"
: "${STAGES:=postprocess test}" # what the last job does; 'postprocess deploy' without test cases,
#                                'postprocess test deploy' for a model to hand on
: "${GRES=gpu:1}"              # the graphics card of a fold and of test, as sbatch's --gres takes
#                                it; GRES= on processors
: "${NV=${GRES:+--nv}}"        # how apptainer passes that on; NV= for none

# MLFLOW_TRACKING_URI is passed on if it is set. Time limits, memory and cores are in the .sbatch
# files; what follows -- overrides them, for all jobs.
set -euo pipefail

refuse() {
  echo "submit.sh: $*" >&2
  exit 2
}

whole() { # NAME: make the path in this variable absolute
  local path=${!1}
  [[ $path == /* ]] || path=$PWD/$path
  [[ $path != *[:,]* ]] || refuse "$1=$path: apptainer binds no path with a colon or a comma"
  printf -v "$1" %s "$path"
}

wanted=''
while (($#)); do
  case $1 in
    plan | train | test | gather) wanted+=" $1 " ;;
    infer) wanted+=" infer  gather " ;;
    -h | --help)
      sed -n '2,/^set/{/^set/!{s/^# \{0,1\}//;p}}' "$0"
      exit
      ;;
    --)
      shift
      break
      ;;
    *) refuse "$1: expected plan, train, test, infer or gather (sbatch's own options follow --)" ;;
  esac
  shift
done
wanted=${wanted:- plan  train  test }

command -v sbatch >/dev/null || refuse "sbatch: not found on PATH; expected a login node of SLURM"
for name in SIF DATA RESULTS; do whole "$name"; done
[ -e "$SIF" ] || refuse "SIF=$SIF: no such image"
if [[ $wanted =~ \ (plan|train|test)\  ]]; then
  [ -n "$TASK" ] || refuse "TASK is not set: expected a name such as Task101_SARCOMA"
  [ -d "$DATA/raw/$TASK" ] || refuse "TASK=$TASK: there is no folder $DATA/raw/$TASK"
  [ -f "$DATA/raw/$TASK/dataset.json" ] ||
    refuse "$DATA/raw/$TASK: has no dataset.json; 'interactivenet dataset' checks the task first"
  for name in FOLDS EPOCHS; do
    [[ ${!name} =~ ^[1-9][0-9]*$ ]] || refuse "$name=${!name}: expected a whole number, at least 1"
  done
  for name in $STAGES; do
    [[ $name =~ ^(postprocess|test|deploy)$ ]] ||
      refuse "STAGES: $name is none of postprocess, test, deploy"
  done
fi
at_once=''
if [[ $wanted == *" gather "* ]]; then
  [ -n "$TASK$MODEL" ] || refuse "neither TASK nor MODEL is set: expected the model to segment with"
  for name in IMAGES POINTS OUTPUT; do
    [ -n "${!name}" ] || refuse "$name is not set: expected a folder"
  done
  [[ $SHARDS =~ ^([1-9][0-9]*)(%[1-9][0-9]*)?$ ]] ||
    refuse "SHARDS=$SHARDS: expected a number of jobs, or 50%10: fifty, ten of them at once"
  SHARDS=${BASH_REMATCH[1]} at_once=${BASH_REMATCH[2]}
  for name in IMAGES POINTS LABELS; do
    [ -z "${!name}" ] || whole "$name"
    [ -z "${!name}" ] || [ -e "${!name}" ] || refuse "$name=${!name}: does not exist"
  done
  [ ! -e "$MODEL" ] || whole MODEL
  whole OUTPUT
  mkdir -p "$OUTPUT" || refuse "OUTPUT=$OUTPUT: cannot be written"
fi
mkdir -p "$RESULTS/slurm" || refuse "RESULTS=$RESULTS: cannot be written"

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SCRIPTS SIF DATA RESULTS TASK FOLDS EPOCHS PLAN_ARGS TRAIN_ARGS TEST_ARGS STAGES NV
export IMAGES POINTS OUTPUT LABELS MODEL SHARDS INFER_ARGS
before='' how=afterok submitted=()
for job in plan train test infer gather; do
  [[ $wanted == *" $job "* ]] || continue
  # --export: a site's SBATCH_EXPORT=NONE would drop the variables above
  options=(--parsable --export=ALL --job-name="${TASK:-${MODEL##*/}}-$job")
  log=${RESULTS//%/%%}/slurm/$job-%j.out
  case $job in
    train) options+=(--array="0-$((FOLDS - 1))") ;;
    infer) options+=(--array="1-$SHARDS$at_once") ;;
    gather) how=afterany ;; # what shards could not do, it names
  esac
  [[ $job != train && $job != infer ]] || log=${RESULTS//%/%%}/slurm/$job-%A_%a.out
  [ -z "$GRES" ] || [[ $job == plan || $job == gather ]] || options+=(--gres="$GRES")
  # a job that can never start is removed, instead of waiting forever
  [ -z "$before" ] || options+=(--dependency="$how:$before" --kill-on-invalid-dep=yes)
  id=$(sbatch "${options[@]}" --output="$log" "$@" "$SCRIPTS/$job.sbatch") || {
    [ -z "$before" ] || scancel "${submitted[@]}"
    refuse "SLURM does not take the job for $job, and says why above; no job is left behind"
  }
  id=${id%%;*} # of a federation: ID;CLUSTER
  echo "$job: job $id${before:+, after $before}"
  before=$id
  submitted+=("$id")
done
echo "logs: $RESULTS/slurm"
