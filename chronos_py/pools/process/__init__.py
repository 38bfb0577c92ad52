"""Tasks as processes of this machine, each under a supervisor that survives the server."""
