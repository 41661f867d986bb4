#[linkme::distributed_slice(helper::ACTIONS)]
static FIRST: fn() -> String = first;

fn first() -> String {
    "plugin first".to_owned()
}

/// Refers to this crate, so that it is linked.
pub fn load() {}
