"""Our numbers beside the peers', measured in the same run on the same data."""
