"""Measured claims. Each checks that results are equal before it times anything; none runs in the test suite."""
