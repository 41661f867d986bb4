// Fields of an old value that a function can't have like this.

pub struct World {
    pub hp: u32,
}

#[hotswap_macros::code_change]
fn owned(old: &Old, hp: u32) -> World {
    World { hp }
}

#[hotswap_macros::code_change]
fn changed(old: &Old, hp: &mut u32) -> World {
    World { hp: *hp }
}

#[hotswap_macros::code_change]
fn text(old: &Old, name: &str) -> World {
    World { hp: name.len() as u32 }
}

#[hotswap_macros::code_change]
fn slice(old: &Old, all: Option<&[u32]>) -> World {
    World { hp: all.map_or(0, |all| all[0]) }
}

#[hotswap_macros::code_change]
fn unnamed(old: &Old, (hp, _): &(u32, u32)) -> World {
    World { hp: *hp }
}

#[hotswap_macros::code_change]
fn of_a_variant(old: &Old, #[field("Open.hp")] hp: &u32) -> World {
    World { hp: *hp }
}

#[hotswap_macros::code_change]
fn nowhere(old: &Old, #[field("a.b.c")] hp: Option<&u32>) -> World {
    World { hp: *hp.unwrap() }
}

fn main() {}
