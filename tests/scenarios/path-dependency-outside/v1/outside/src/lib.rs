//! Belongs to somebody else's workspace.

pub fn word() -> String {
    "outside one".to_owned()
}
