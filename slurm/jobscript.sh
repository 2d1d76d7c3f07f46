#!/bin/bash
# properties = {properties}
# A job on its node. Its exit code goes to a file, from which the submitting side learns of the end without asking Slurm; where
# Slurm ended it, or it ended because it was asked to and can go on, Slurm's own word is what counts (slurm/status).
of="$PWD/.snow/slurm/$SLURM_JOB_ID"
leave() {{
    code=$?
    [ -n "${{ended_by_slurm:-}}" ] || [ -e "$of.stopped" ] || {{ echo $code > "$of.exit.new" && mv "$of.exit.new" "$of.exit"; }}
}}
trap leave EXIT
# Cancelled, preempted or out of time: Slurm tells all processes of the job, knows which it was, and may start the job again under
# the same number. It ends when its processes have: one may be saving what it did.
trap 'ended_by_slurm=1' TERM
# The warning of `sbatch --signal=B:USR1@SECONDS` is for the processes that can use it; the others must not end of it.
trap 'trap "" USR1; kill -USR1 0' USR1
if [ "$(cat "$of.exit" 2> /dev/null)" = 0 ]; then
    exit 0 # it had finished when Slurm started it again
fi
mkdir -p .snow/slurm && rm -f "$of.exit" "$of.moved" "$of.stopped"
(
trap '' USR1
{exec_job}
) &
while wait $!; code=$?; kill -0 $! 2> /dev/null; do :; done # a signal ends the wait, not the job
exit $code
