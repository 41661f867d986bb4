//! How arguments and results cross: by size and alignment, never by the `repr` of their types.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The form of crossing, as the runtime defines it.
const ARG: &str = "#[repr(C)]\npub struct Arg<T>(pub [T; 1]);";

/// Types of one size and alignment, that rustc passes in different ways when they are not wrapped.
const GROUPS: &[&[&str]] = &[
    &[
        "f64",
        "Plain<f64>",
        "Transparent<f64>",
        "C<f64>",
        "C<C<f64>>",
        "u64",
        "C<u64>",
        "Option<Box<u8>>",
    ],
    &["f32", "Transparent<f32>", "C<f32>", "u32", "char"],
    &[
        "&'static str",
        "(usize, usize)",
        "C<&'static str>",
        "Transparent<(f64, u64)>",
        "C<(u64, f64)>",
    ],
    &[
        "[u64; 3]",
        "(u64, u64, f64)",
        "C<[f64; 3]>",
        "Transparent<Option<[u64; 2]>>",
        "String",
    ],
    &[
        "(C<f64>, u64)",
        "(f64, u64)",
        "(u32, C<u64>)",
        "C<Transparent<(f64, f64)>>",
    ],
    &["u128", "i128", "C<u128>", "Transparent<i128>"],
    &["()", "C<()>", "Transparent<()>"],
];

#[test]
fn the_form_is_the_runtime_s() {
    let runtime = include_str!("../../../hotswap-runtime/src/entry.rs");
    assert!(runtime.contains(ARG));
}

#[test]
fn only_size_and_alignment_decide() -> Result<(), Box<dyn Error>> {
    for optimise in ["-Copt-level=0", "-Copt-level=3"] {
        for (types, found) in GROUPS.iter().zip(signatures("Arg", optimise)?) {
            let same = found.iter().all(|signature| *signature == found[0]);
            assert!(same, "{optimise}: {types:?} pass as {found:#?}");
        }
        let bare = signatures("Bare", optimise)?;
        assert_ne!(bare[0][0], bare[0][3], "the wrapper is there for a reason");
    }
    Ok(())
}

/// The signatures, in LLVM's terms, of functions that take and return each type in `wrapper`.
fn signatures(wrapper: &str, optimise: &str) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let mut source = format!(
        "#![crate_type = \"lib\"]\n{ARG}\npub type Bare<T> = T;\n\
         pub struct Plain<T>(pub T);\n\
         #[repr(C)] pub struct C<T>(pub T);\n\
         #[repr(transparent)] pub struct Transparent<T>(pub T);\n"
    );
    for (group, types) in GROUPS.iter().enumerate() {
        for (index, name) in types.iter().enumerate() {
            source += &format!(
                "#[unsafe(no_mangle)] #[inline(never)]\n\
                 pub fn f_{group}_{index}(a: {wrapper}<{name}>, b: {wrapper}<{name}>) -> {wrapper}<{name}> \
                 {{ std::hint::black_box({group}{index}); std::mem::forget(a); b }}\n"
            );
        }
    }
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("convention{optimise}{wrapper}"));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("lib.rs"), source)?;
    let status = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .current_dir(&folder)
        .args([
            "--edition=2024",
            "--emit=llvm-ir=lib.ll",
            "-Awarnings",
            optimise,
            "lib.rs",
        ])
        .status()?;
    assert!(status.success());
    let ir = fs::read_to_string(folder.join("lib.ll"))?;
    let of = |group: usize, index: usize| {
        let name = format!("@f_{group}_{index}(");
        let line = ir
            .lines()
            .find(|line| line.starts_with("define") && line.contains(&name));
        line.map(|line| passing(&line.replace(&name, "(")))
            .ok_or(format!("no {name} in the IR"))
    };
    let mut all = Vec::new();
    for (group, types) in GROUPS.iter().enumerate() {
        let signatures = (0..types.len()).map(|index| of(group, index));
        all.push(signatures.collect::<Result<_, _>>()?);
    }
    Ok(all)
}

/// What of a definition decides how values are passed: types, and whether a pointer is to the value.
fn passing(definition: &str) -> String {
    let head = definition
        .rsplit_once(") ")
        .map_or(definition, |(head, _)| head);
    let words = head.split([' ', ',', '(', ')']);
    let decide = |word: &&str| {
        ["ptr", "void", "float", "double", "byval", "sret"].contains(word)
            || word.starts_with(['{', '<', '['])
            || word
                .strip_prefix('i')
                .is_some_and(|bits| bits.parse::<u32>().is_ok())
    };
    words.filter(decide).collect::<Vec<_>>().join(" ")
}
