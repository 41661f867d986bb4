#[derive(hotswap::Migrate)]
struct Counter;

#[hotswap::server]
impl hotswap::Server for Counter {
    type Cast = u32;

    fn init(_: (), _: &mut hotswap::server::Context<'_, Self>) -> hotswap::server::Init<Self> {
        Ok(Self)
    }
}

fn main() {}
