//! What is said.

pub fn say() -> String {
    "two from words".to_owned()
}
