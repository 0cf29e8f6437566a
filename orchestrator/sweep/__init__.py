"""Sweeps: many settings of one study, searched by Ray Tune and computed as steps of one store."""
