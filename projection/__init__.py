"""Labelled corpora: read them, encode spans as tags, align translations and project labels."""
