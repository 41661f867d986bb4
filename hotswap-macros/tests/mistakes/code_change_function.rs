// Functions that can't make whole values.

pub struct World<T> {
    pub hp: T,
}

#[hotswap_macros::code_change]
fn generic<T: Copy>(old: &Old, hp: &T) -> World<T> {
    World { hp: *hp }
}

#[hotswap_macros::code_change]
fn borrowed<'a>(old: &Old, hp: &'a u32) -> World<u32> {
    World { hp: *hp }
}

#[hotswap_macros::code_change]
async fn waits(old: &Old) -> World<u32> {
    World { hp: 1 }
}

#[hotswap_macros::code_change]
fn nothing(old: &Old) {}

#[hotswap_macros::code_change]
fn hidden(old: &Old) -> impl Sized {
    World { hp: 1 }
}

#[hotswap_macros::code_change]
fn knows_nothing() -> World<u32> {
    World { hp: 1 }
}

#[hotswap_macros::code_change(down)]
fn back_by_fields(old: &Old, hp: &u32, mp: &u32) -> World<u32> {
    World { hp: hp + mp }
}

impl World<u32> {
    #[hotswap_macros::code_change]
    fn of_self(&self) -> World<u32> {
        World { hp: self.hp }
    }

    #[hotswap_macros::code_change]
    fn makes_self(old: &Old, hp: &u32) -> Result<Self, String> {
        Ok(Self { hp: *hp })
    }
}

fn main() {}
