"""Claims of lectures, each a function that measures it, marked with `@recipe`; one file per topic.

Modules here register recipes when they are imported and must stay light: they name the lab's
classes in annotations only, or import them when run.
"""
