"""Use-cases: one public async method per operation. The one place that reads the clock and makes ids."""
