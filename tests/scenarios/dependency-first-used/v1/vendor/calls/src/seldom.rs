//! What the first version does not need.

pub fn twice() -> String {
    drop(crate::once());
    format!("twice {}", crate::once())
}
