//! Where a program was when a fatal signal met it.
