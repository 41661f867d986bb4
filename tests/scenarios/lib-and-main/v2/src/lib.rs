//! The library beside `main.rs`.

pub fn word() -> String {
    "lib four".to_owned()
}

#[hotswap::entry]
pub fn direct() -> String {
    format!("entry of {}", word())
}
