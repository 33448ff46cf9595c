"""The shapes of answers: Structs that are never filled, written for the OpenAPI document alone.

Every answer that the tests see is checked against the shape that its operation names. A member that some
version leaves out has `= UNSET`; every other member is always there.
"""
