trait Server {}

struct Counter<T>(T);

#[hotswap_macros::server]
impl<T> Server for Counter<T> {}

struct Pair<A>(A);

#[hotswap_macros::server]
impl Server for Pair<u8> {}

#[hotswap_macros::server]
impl Server for (u8, u8) {}

fn main() {}
