//! Damaged objects: an error or other facts, but no panic and no endless loop.

use std::process::Command;
use std::sync::Arc;

use hotswap_layout::{LayoutError, Program, compare, read_object};
use object::{Object as _, ObjectSection as _};

const SOURCE: &str = "
pub enum Kind { A(u32), B { next: Option<Box<Kind>>, names: [u8; 4] } }
pub trait Handler { fn handle(&self, kind: &Kind) -> u32; }
pub struct Im(u32);
impl Handler for Im { fn handle(&self, kind: &Kind) -> u32 { self.0 } }
pub static STATE: std::sync::Mutex<Vec<Box<dyn Handler + Send>>> = std::sync::Mutex::new(Vec::new());
pub fn add() { STATE.lock().unwrap().push(Box::new(Im(1))); }
";

fn compiled() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, output) = (folder.path().join("c.rs"), folder.path().join("c.o"));
    std::fs::write(&input, SOURCE).expect("the folder is writable");
    let status = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=obj",
            "--cap-lints=allow",
        ])
        .args([
            "-Cdebuginfo=2",
            "-Csymbol-mangling-version=v0",
            "-Ccodegen-units=1",
        ])
        .arg("-o")
        .args([&output, &input])
        .status()
        .expect("rustc runs");
    assert!(status.success());
    std::fs::read(output).expect("rustc wrote an object")
}

/// Small, quick and the same in every run (Marsaglia's xorshift).
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

#[test]
fn damaged_debug_information_does_no_harm() {
    let bytes = compiled();
    let file = object::File::parse(&*bytes).expect("an object");
    let ranges: Vec<(u64, u64)> = [
        ".debug_info",
        ".debug_abbrev",
        ".rela.debug_info",
        ".debug_str",
    ]
    .iter()
    .filter_map(|name| file.section_by_name(name)?.file_range())
    .collect();
    assert!(ranges.len() >= 3);
    let good = || Arc::new(read_object(&bytes).expect("facts"));
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut read = 0;
    for round in 0..300 {
        let mut damaged = bytes.clone();
        let (start, size) = ranges[round % ranges.len()];
        for _ in 0..=round % 4 {
            let at = start as usize + random(&mut state) % size as usize;
            damaged[at] = random(&mut state) as u8;
        }
        if let Ok(facts) = read_object(&damaged) {
            read += 1;
            let (old, new) = (
                Program::new([good()], ["c".to_owned()]),
                Program::new([Arc::new(facts)], ["c".to_owned()]),
            );
            let _ = compare(&old, &new, &[]);
            let _ = compare(&new, &new, &[]);
        }
    }
    assert!(read > 0, "some damage goes unnoticed");
}

#[test]
fn what_is_no_object_is_an_error() {
    let bytes = compiled();
    for length in [0, 1, 40, 64, bytes.len() / 2] {
        let error = read_object(&bytes[..length]).expect_err("it is cut off");
        assert!(matches!(error, LayoutError::Object(_)), "{error}");
    }
    let bitcode = read_object(b"BC\xc0\xde and so on").expect_err("it is bitcode");
    assert!(matches!(bitcode, LayoutError::Bitcode), "{bitcode}");
}
