use hotswap_macros as hotswap;

struct Room;

#[hotswap::entry]
impl Room {
    fn say<T: ToString>(&self, text: T) -> String {
        text.to_string()
    }

    const fn limit(&self) -> usize {
        3
    }

    fn fine(&self) {}
}

fn main() {}
