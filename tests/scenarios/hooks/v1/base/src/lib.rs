use std::sync::Mutex;

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub fn note(text: &str) {
    LOG.lock().unwrap().push(text.to_owned());
}

pub fn notes() -> String {
    std::mem::take(&mut *LOG.lock().unwrap()).join(", ")
}

#[hotswap::on_load]
fn look() {
    note("base looks");
}

#[hotswap::after_swap]
fn arrive(swap: hotswap::Swap) {
    note(&format!("base {}>{}", swap.from, swap.to));
}
