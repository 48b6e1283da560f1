"""From a config on the command line to a runner: what the commands train and test share."""
