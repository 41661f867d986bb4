use hotswap_macros::Migrate;

#[derive(Migrate)]
#[migrate(rename = "World")]
struct OnType;

#[derive(Migrate)]
struct OnField {
    #[migrate(rename = "all")]
    players: u32,
}

#[derive(Migrate)]
enum OnVariant {
    #[migrate(back = open)]
    Open,
}

fn main() {}
