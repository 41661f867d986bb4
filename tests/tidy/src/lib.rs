//! Nothing: the rules are in `tests/`.
