//! What the tool and the running program say to each other: manifest, messages, frames, addresses.
//!
//! This crate is data and pure functions. It opens no file and no socket; [`frame`] works on any
//! [`Read`](std::io::Read) and [`Write`](std::io::Write).
//!
//! # Compatibility
//!
//! Two numbers guard against mismatched halves.
//!
//! - [`message::PROTOCOL`] is exchanged in `Hello`, in both directions. A peer with another number
//!   is refused by an error that names both. Within one number the two sides may differ in age: a
//!   newer one may add optional fields to messages and new error codes, and the older one ignores
//!   the fields and reads the codes as [`ErrorCode::Unknown`](message::ErrorCode::Unknown).
//!   `Hello` and `Error` keep their present fields under every number, so that the refusal itself
//!   can always be read.
//! - [`manifest::FORMAT`] stands in every manifest. A manifest is a promise that is checked before
//!   code is loaded, so a field that the reader does not know is an error: whoever adds one raises
//!   the number.

pub mod address;
pub mod build_id;
pub mod checksum;
pub mod crash;
pub mod env;
pub mod event;
pub mod frame;
pub mod hook;
pub mod lifecycle;
pub mod manifest;
pub mod message;
pub mod patch;
pub mod purge;
pub mod saved;
pub mod servers;
pub mod state;
pub mod status;
pub mod users;
