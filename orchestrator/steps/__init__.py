"""The kinds of step that a study is made of, one a file."""
