use hotswap_macros as hotswap;

#[hotswap::entry]
trait Named {
    fn name(&self) -> String {
        String::new()
    }
}

fn main() {}
