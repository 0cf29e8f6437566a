"""Reports of a study: what is measured, said, drawn, and written in every format."""
