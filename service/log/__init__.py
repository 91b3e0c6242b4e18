"""The transparency log: its sequencer, its public address, and who checks it."""
