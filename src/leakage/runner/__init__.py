"""What `leakage.run` is made of: parameters, one notebook in a process, state of a run, screen."""
