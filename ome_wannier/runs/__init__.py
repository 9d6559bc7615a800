"""A run as it is written down: `settings` is the table of what can be set, `values` and `reading` check what users give, `plan`
says what follows for a model. The command line, screening and plug-ins share it.
"""
