use hotswap_macros as hotswap;

struct Stack<T>(Vec<T>);

#[hotswap::entry]
impl<T> Stack<T> {
    fn len(&self) -> usize {
        self.0.len()
    }
}

fn main() {}
