"""Content-addressed execution: what is current, what is stored, and how Snakemake and DVC come to agree."""
