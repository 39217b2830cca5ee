"""Everything that a run starts is held, so that nothing outlives the run, its lease or its wrapper."""
