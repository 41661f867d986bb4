//! `cargo hotswap timings`: where the time of swaps went.
