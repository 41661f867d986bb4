trait Server {}

struct Counter;

#[hotswap_macros::server(before(Counter))]
impl Server for Counter {}

struct Store;

#[hotswap_macros::server(after)]
impl Server for Store {}

struct Room;

#[hotswap_macros::server(crate)]
impl Server for Room {}

fn main() {}
