struct Counter<T>(T);

#[hotswap::server]
impl<T> hotswap::Server for Counter<T> {}

fn main() {}
