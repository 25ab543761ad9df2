"""What a person runs: the command line, the runtimes, evaluation and reports."""
