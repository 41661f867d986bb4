//! Without `cargo hotswap` an attribute changes nothing in the object file.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Functions of all kinds; `ENTRY` stands where the attributes go.
const SOURCE: &str = r#"
pub struct Room { name: String }

ENTRY
impl Room {
    pub fn name(&self) -> &str { &self.name }
    pub fn rename(mut self, name: &str) -> Self { self.name = format!("{name}{}", self.name); self }
    pub async fn later(&self) -> usize { self.name.len() }
}

ENTRY
pub fn greet(name: &str) -> String {
    if name.is_empty() { panic!("no name") }
    format!("hello {name}")
}

ENTRY
#[track_caller]
pub unsafe fn raw(at: *const u32) -> u32 { unsafe { *at } }

ENTRY
pub fn even(below: u32) -> impl Iterator<Item = u32> { (0..below).filter(|n| n % 2 == 0) }

ENTRY
pub mod inner { pub fn never() -> ! { loop {} } }

#[unsafe(no_mangle)]
pub fn uses(room: Room) -> u32 {
    greet(room.rename("a").name()).len() as u32 + even(7).sum::<u32>()
}
"#;

#[test]
fn object_code_is_that_of_the_plain_function() -> Result<(), Box<dyn Error>> {
    for options in [
        ["-Copt-level=0", "-Cdebuginfo=2"],
        ["-Copt-level=3", "-Cdebuginfo=2"],
    ] {
        let plain = compile("// plain", &options)?;
        let marked = compile("#[hotswap::entry]", &options)?;
        assert!(plain.len() > 1000);
        assert!(plain == marked, "object files differ with {options:?}");
    }
    Ok(())
}

/// Compiles [`SOURCE`] with `attribute` as cargo would, and returns the object file.
fn compile(attribute: &str, options: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("lib.rs"), SOURCE.replace("ENTRY", attribute))?;
    let status = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .current_dir(&folder)
        .env_remove("HOTSWAP_EXPAND")
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--crate-name=plain",
            "--emit=obj=plain.o",
        ])
        .args(["-Ccodegen-units=1", "-Awarnings", "lib.rs"])
        .args(options)
        .arg("--extern")
        .arg(format!("hotswap={}", macros()?.display()))
        .status()?;
    assert!(status.success(), "rustc failed on `{attribute}`");
    Ok(fs::read(folder.join("plain.o"))?)
}

/// The macros, as cargo has built them for this test: beside it.
fn macros() -> Result<PathBuf, Box<dyn Error>> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let test = std::env::current_exe()?;
    let beside = test.parent().ok_or("the test is in no folder")?;
    let mut found = Vec::new();
    for file in fs::read_dir(beside)? {
        let file = file?;
        let named = name(&file.path()).is_some_and(|name| {
            name.strip_prefix(std::env::consts::DLL_PREFIX)
                .is_some_and(|name| name.starts_with("hotswap_macros-"))
                && name.ends_with(std::env::consts::DLL_SUFFIX)
        });
        if named {
            found.push((file.metadata()?.modified()?, file.path()));
        }
    }
    let newest = found.into_iter().max().ok_or("cargo has built no macros")?;
    Ok(newest.1)
}
