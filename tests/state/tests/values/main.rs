//! Values of one version become values of the next: every field, container and hook.

mod containers;
mod fields;
mod refusals;
