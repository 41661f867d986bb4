//! A generated workspace: 50 crates in layers, some 100,000 lines.
//!
//! What the crates hold is what servers consist of: structs with methods, enums that are matched,
//! maps of them, traits with several implementors, a generic function and a static in each. Each
//! crate but those of the lowest layer uses two of the layer below, and the executable all of the
//! highest.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::work::Work;

/// Library crates.
pub const CRATES: usize = 49;

/// Crates in a layer; each uses two of the layer below.
const LAYER: usize = 7;

/// Kinds of things in a crate; each is 36 lines.
const KINDS: usize = 57;

/// Which crate is edited.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// One that all others stand on.
    Bottom,
    /// One that only the executable uses.
    Top,
}

impl Place {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bottom => "lowest crate",
            Self::Top => "highest crate",
        }
    }

    fn crate_number(self) -> usize {
        match self {
            Self::Bottom => 0,
            Self::Top => CRATES - 1,
        }
    }
}

/// Writes the workspace.
///
/// # Errors
///
/// Its folder can't be written.
pub fn large(edited: Place) -> Result<(Work, usize)> {
    let (root, target) = Work::folder("large")?;
    let runtime = hotswap_tests::workspace().join("hotswap-runtime");
    let mut lines = 0;
    for number in 0..CRATES {
        let folder = root.join(format!("crates/c{number:02}"));
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest(number, &below(number)))?;
        let source = library(number);
        lines += source.lines().count();
        fs::write(folder.join("src/lib.rs"), source)?;
    }
    let highest: Vec<usize> = (CRATES - LAYER..CRATES).collect();
    let manifest = format!(
        "[package]\nname = \"large\"\nedition = \"2024\"\n\n[dependencies]\n\
         hotswap-runtime = {{ path = {runtime:?} }}\n{}\n[workspace]\nmembers = [\"crates/*\"]\n",
        dependencies(&highest, "crates/")
    );
    fs::write(root.join("Cargo.toml"), manifest)?;
    let main = executable(&highest);
    lines += main.lines().count();
    fs::write(root.join("src/main.rs"), main)?;
    let lock = hotswap_tests::workspace().join("Cargo.lock");
    fs::copy(lock, root.join("Cargo.lock"))?;
    let file = format!("crates/c{:02}/src/lib.rs", edited.crate_number());
    let file = Path::new(&file).to_string_lossy().into_owned();
    Work::prepare(
        &root,
        &file,
        "black_box(0)",
        &format!("black_box({})", crate::work::MARKER),
    )?;
    Ok((Work::new(root, target, &file)?, lines))
}

fn below(number: usize) -> Vec<usize> {
    let Some(layer) = (number / LAYER).checked_sub(1) else {
        return Vec::new();
    };
    let (first, place) = (layer * LAYER, number % LAYER);
    vec![first + place, first + (place + 1) % LAYER]
}

fn dependencies(numbers: &[usize], folder: &str) -> String {
    numbers.iter().fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "c{number:02} = {{ path = \"{folder}c{number:02}\" }}");
        text
    })
}

fn manifest(number: usize, below: &[usize]) -> String {
    format!(
        "[package]\nname = \"c{number:02}\"\nedition = \"2024\"\n\n[dependencies]\n{}",
        dependencies(below, "../")
    )
}

fn library(number: usize) -> String {
    let mut text = String::from(HEAD);
    for kind in 0..KINDS {
        text += &KIND.replace("KIND", &format!("Kind{kind}"));
    }
    text += "/// The sum of what this crate and those below it make of a number.\n";
    text += "pub fn total(seed: u32) -> u32 {\n    let mut sum = std::hint::black_box(0);\n";
    for kind in 0..KINDS {
        let _ = writeln!(text, "    sum = mix(sum, Kind{kind}::new(seed).weight());");
    }
    for below in below(number) {
        let _ = writeln!(text, "    sum = mix(sum, c{below:02}::total(seed));");
    }
    text += "    CALLS.fetch_add(1, Ordering::Relaxed);\n    sum\n}\n";
    text
}

fn executable(highest: &[usize]) -> String {
    let calls = highest.iter().fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "        .wrapping_add(c{number:02}::total(1))");
        text
    });
    format!(
        "use std::io::BufRead;\n\n#[hotswap::entry]\nfn answer() -> u32 {{\n    0_u32\n{calls}}}\n\n\
         fn main() {{\n    for _ in std::io::stdin().lock().lines() {{\n        \
         println!(\"{{}}\", answer());\n    }}\n}}\n"
    )
}

/// What each crate starts with.
const HEAD: &str = r#"//! Generated.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

/// What all kinds can do.
pub trait Weigh {
    fn weight(&self) -> u32;
    fn name(&self) -> String;
}

pub fn mix<T: Into<u32>>(sum: u32, next: T) -> u32 {
    sum.rotate_left(3) ^ next.into()
}

"#;

/// One kind of thing: 36 lines.
const KIND: &str = r#"#[derive(Debug, Clone, PartialEq)]
pub struct KIND {
    id: u32,
    names: Vec<String>,
    counts: HashMap<String, u32>,
    state: KINDState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum KINDState {
    Empty,
    Named(String),
    Counted { first: u32, rest: BTreeMap<u32, u32> },
}

impl KIND {
    pub fn new(id: u32) -> Self {
        let names = (0..3).map(|part| format!("KIND {id} {part}")).collect();
        let state = if id == 0 { KINDState::Empty } else { KINDState::Named(id.to_string()) };
        Self { id, names, counts: HashMap::new(), state }
    }
}

impl Weigh for KIND {
    fn weight(&self) -> u32 {
        let state = match &self.state {
            KINDState::Empty => 0,
            KINDState::Named(name) => name.len() as u32,
            KINDState::Counted { first, rest } => first + rest.values().sum::<u32>(),
        };
        self.counts.values().fold(self.id + self.names.len() as u32, |a, b| a + b) + state
    }
    fn name(&self) -> String { self.names.join(", ") }
}
impl fmt::Display for KIND { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.name()) } }
"#;
