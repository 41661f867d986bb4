//! Control from another terminal: the socket of a tool that runs a program, and the verbs that use
//! it.
//!
//! The socket lies beside the program's own, in the same private folder. Frames are those of the
//! program's protocol, the messages are the tool's own ([`message`]). A server thread takes them;
//! what only tells is answered from the [`Journal`](crate::session::journal::Journal), what acts is
//! handed to the session's loop, so that no client can hold it up.

pub mod client;
pub mod crates;
mod elsewhere;
pub mod find;
pub mod message;
pub mod place;
pub mod server;
pub mod verbs;
