"""What ran, runs and will run, over a day or a month."""
