# The toy recipe has none of these; the real Snakefile includes the file.
