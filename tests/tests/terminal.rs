//! The tool on a terminal: what people see, which keys do what, and what cargo would have done.

mod as_cargo;
mod jobs;
mod looks;
mod program;
mod screen;
mod shell;
