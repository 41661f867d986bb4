use hotswap_macros as hotswap;

trait Named {
    #[hotswap::entry]
    fn name(&self) -> String;
}

fn main() {}
