//! A library that knows nothing of hotswap.

pub struct Purse<T> {
    coins: Vec<T>,
    mark: &'static str,
}

impl Purse<u32> {
    pub fn new(coins: Vec<u32>) -> Self {
        Self { coins, mark: "¤" }
    }

    pub fn show(&self) -> String {
        format!("{:?}{}", self.coins, self.mark)
    }
}
