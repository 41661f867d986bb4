//! A library that knows nothing of hotswap.

pub struct Purse<T> {
    sum: T,
    count: usize,
}

impl Purse<u32> {
    pub fn new(coins: Vec<u32>) -> Self {
        Self {
            sum: coins.iter().sum(),
            count: coins.len(),
        }
    }

    pub fn show(&self) -> String {
        format!("{} in {}", self.sum, self.count)
    }
}
