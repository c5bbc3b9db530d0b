"""What every subcommand shares: finding and running them, their common options, configuration
options, output, errors, help.

May import what `commands` may import; heavy things only inside functions, so that `dlprobe --help`
stays fast.
"""
