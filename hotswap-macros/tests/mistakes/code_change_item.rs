// `code_change` on what is no function.

#[hotswap_macros::code_change]
struct World {
    hp: u32,
}

#[hotswap_macros::code_change]
impl World {
    fn hp(&self) -> u32 {
        self.hp
    }
}

#[hotswap_macros::code_change(World)]
fn named(old: &Old) -> World {
    World { hp: 1 }
}

fn main() {}
