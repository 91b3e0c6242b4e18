"""The gate: the register of securities, and the decision whether a transfer may happen."""
