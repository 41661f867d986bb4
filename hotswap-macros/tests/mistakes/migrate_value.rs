use hotswap_macros::Migrate;

#[derive(Migrate)]
struct NoValue {
    #[migrate(default)]
    round: u32,
}

#[derive(Migrate)]
struct NoText {
    #[migrate(was = all)]
    players: u32,
}

#[derive(Migrate)]
struct NoName {
    #[migrate(was = "the players")]
    players: u32,
}

#[derive(Migrate)]
struct NoType {
    #[migrate(was = "hp: u32 or so")]
    health: u64,
}

#[derive(Migrate)]
struct Twice {
    #[migrate(default = 4)]
    #[migrate(was = "hp", default = 5)]
    health: u64,
}

#[derive(Migrate)]
struct NameTwice {
    #[migrate(was = "type", was = "r#type")]
    health: u64,
}

#[derive(Migrate)]
struct TypeTwice {
    #[migrate(was = "hp: u8", was = "life: u16")]
    health: u64,
}

#[derive(Migrate)]
struct NoList {
    #[migrate]
    health: u64,
}

#[derive(Migrate)]
enum NoVariant {
    #[migrate(was = "Open: u32")]
    Opened,
}

#[derive(Migrate)]
struct NoFlag {
    #[migrate(lazy = true)]
    players: Vec<u8>,
}

fn main() {}
