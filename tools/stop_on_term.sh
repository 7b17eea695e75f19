#!/usr/bin/env bash
# Runs a command so that SIGTERM stops it as Ctrl-C does: bash tools/stop_on_term.sh dvc repro
#
# SLURM and Kubernetes end a job by SIGTERM. DVC would end at once, before its stage; at Ctrl-C it
# waits until the stage has saved its state. Exits with the status of the command.
set -m # the command gets a process group of its own
"$@" &
pid=$!
trap 'kill -INT -- -$pid' TERM
while
  wait $pid # a signal ends it, too
  status=$?
  kill -0 $pid 2>/dev/null
do :; done
exit $status
