"""One actor in one process, and the files through which processes of a system meet."""
