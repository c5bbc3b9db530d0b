"""Claims of lectures, each a record with the runs that measure it; one file per topic.

Modules here register recipes when they are imported and must stay light: they name the laboratory's classes in annotations only, or import them when run.
"""
