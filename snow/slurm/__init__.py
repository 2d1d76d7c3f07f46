"""Running on a Slurm cluster: what a site is, how a job gets into the queue, how training spreads over nodes."""
