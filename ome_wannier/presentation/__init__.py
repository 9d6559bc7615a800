"""Results as people read them: rounded by their errors, in the unit asked for, the answer first, what is forbidden a word."""
