"""What runs the tasks of a suite: this machine, or a cluster."""
