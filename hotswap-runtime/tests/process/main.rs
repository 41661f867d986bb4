//! A real process under the tool's variables: it starts, listens, swaps, forks and ends.
//!
//! The process is this test's own executable, started again with a word that tells it what to do.

#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]

mod life;
mod orders;
mod own_code;
mod program;

#[cfg(target_arch = "x86_64")]
mod images;

#[cfg(target_arch = "x86_64")]
#[path = "../../src/engine/elf/sample.rs"]
mod sample;

/// The variable that tells the started process that it is one.
const ROLE: &str = "TEST_ROLE";

/// What is checked, and by what.
const TESTS: &[(&str, fn())] = &[
    ("asleep without the tool's variables", life::asleep),
    ("says that a word is none of its own", life::misspelt),
    (
        "asleep with rights that its user does not have",
        life::other_rights,
    ),
    ("listens and tells who it is", life::greets),
    ("survives a tool that is gone", life::abandoned),
    (
        "leaves a socket under its own number to the program",
        life::closed,
    ),
    ("leaves nothing to its children", life::children),
    (
        "a leftover socket of the same number is replaced",
        life::leftover,
    ),
    (
        "listens in the other directory when the first one fails",
        life::other_directory,
    ),
    (
        "does not listen where users can't be told apart",
        life::unknown_user,
    ),
    (
        "swaps to the host's own code and reports it",
        own_code::swaps,
    ),
    ("refuses another executable's patch", own_code::refuses),
    #[cfg(target_arch = "x86_64")]
    ("swaps images in", images::swapped),
    #[cfg(target_arch = "x86_64")]
    (
        "leaves no trace of patches that are given up",
        images::given_up,
    ),
    #[cfg(target_arch = "x86_64")]
    ("keeps the last code of a signature", images::reshaped),
    #[cfg(target_arch = "x86_64")]
    ("runs the program's own functions at swaps", images::hooked),
    #[cfg(target_arch = "x86_64")]
    (
        "refuses images that are not what they should be",
        images::refused,
    ),
    #[cfg(target_arch = "x86_64")]
    (
        "goes back to code that it had, and tells what it has",
        images::again,
    ),
];

fn main() {
    if std::env::var_os(ROLE).is_some() {
        return orders::obey();
    }
    for (name, test) in TESTS {
        println!("test {name} ...");
        test();
    }
    println!("{} tests passed", TESTS.len());
}
