use linkme::distributed_slice;

#[distributed_slice]
pub static ACTIONS: [fn() -> String];

pub fn all() -> String {
    let mut said: Vec<String> = ACTIONS.iter().map(|action| action()).collect();
    said.sort_unstable();
    said.join(", ")
}
