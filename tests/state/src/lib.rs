//! Nothing: all is in `tests/`.
