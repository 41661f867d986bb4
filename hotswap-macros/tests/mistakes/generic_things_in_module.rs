use hotswap_macros as hotswap;

#[hotswap::entry]
mod rooms {
    pub struct Stack<T>(pub Vec<T>);

    impl<T> Stack<T> {
        pub fn len(&self) -> usize {
            self.0.len()
        }
    }

    pub trait Named {
        fn name(&self) -> String;

        fn greeting(&self) -> String {
            format!("hello {}", self.name())
        }
    }
}

fn main() {}
