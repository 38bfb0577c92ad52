"""Tasks of a Mesos framework, over the v1 HTTP scheduler API."""
