#!/bin/bash
# properties = {properties}
# A job on its node. Its exit code goes to a file, from which the submitting side learns of the end without asking Slurm.
marker="$PWD/.snow/slurm/$SLURM_JOB_ID.exit"
leave() {{
    code=$?
    [ -n "${{ended_by_slurm:-}}" ] || {{ echo $code > "$marker.new" && mv "$marker.new" "$marker"; }}
}}
trap leave EXIT
# Cancelled, preempted or out of time: Slurm knows which, and may start the job again under the same number.
trap 'ended_by_slurm=1; exit 143' TERM
if [ "$(cat "$marker" 2> /dev/null)" = 0 ]; then
    exit 0 # it had finished when Slurm started it again
fi
mkdir -p .snow/slurm && rm -f "$marker"
{exec_job}
