"""From a config on the command line to a runner: what tools/train.py and test.py share."""
