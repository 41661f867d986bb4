//! Contains code of `base`: what is generic there.

pub fn answer() -> String {
    let shared = base::shared::<u32>();
    format!("{}, {}, {shared}", base::plain(), base::generic(7_u8))
}
