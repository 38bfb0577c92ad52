"""The leader: planner -> dispatcher -> watcher -> settler, only while this node leads."""
