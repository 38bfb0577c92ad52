"""Tasks as services of a Docker Swarm: one service per attempt."""
