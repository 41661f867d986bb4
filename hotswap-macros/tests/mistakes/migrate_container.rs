// Containers that do not say what their elements are.

#[derive(hotswap_macros::Migrate)]
#[migrate(container)]
struct Unnamed<T>(Vec<T>);

#[derive(hotswap_macros::Migrate)]
#[migrate(container(Item))]
struct Concrete(Vec<Item>);

#[derive(hotswap_macros::Migrate)]
#[migrate(container(T, T))]
struct Twice<T>(Vec<(T, T)>);

#[derive(hotswap_macros::Migrate)]
#[migrate(container(A, B, C))]
struct Three<A, B, C>(Vec<(A, B, C)>);

#[derive(hotswap_macros::Migrate)]
#[migrate(container(T))]
struct Renamed<T> {
    #[migrate(was = "slots")]
    all: Vec<T>,
}

struct Item;

fn main() {}
