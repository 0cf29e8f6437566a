"""Many models on many machines: plan, store, run on Ray, log to MLflow, command line."""
