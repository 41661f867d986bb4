use hotswap_macros as hotswap;

#[hotswap::entry]
struct Room;

#[hotswap::entry]
static GREETING: &str = "hello";

fn main() {}
