//! Is compiled afresh, as everything in a new folder is.
