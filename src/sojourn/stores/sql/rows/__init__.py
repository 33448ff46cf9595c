"""Rows to values and back, for every dialect: the queries of each give their columns in one order."""
