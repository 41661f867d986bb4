//! What is said.

pub fn say() -> String {
    "three from speech".to_owned()
}
