//! Nothing: the entries are in `tests/`.
