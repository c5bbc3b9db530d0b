"""The rules, one file each, named by code; every file registers its record of kind `rule` when the
registry walks this folder.

A new rule is one new file. Its docstring teaches it under fixed headings, `explain CODE` prints it,
and a test reads every one.
"""
