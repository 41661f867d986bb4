//! The same two packages as each tool wants them: the answer to `GET answer` is what edits change.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::mini_redis;
use crate::work::{MARKER, Work};

/// What a package is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// `cargo hotswap run`.
    Hotswap,
    /// `dx serve --hot-patch`.
    Subsecond,
    /// hot-lib-reloader, which waits this many milliseconds for further changes of the library.
    HotLib(u32),
    /// Nothing: it is started anew.
    Plain,
}

/// The version of subsecond and dioxus-devtools, which must be that of `dx`.
const SUBSECOND: &str = "0.7.10";

impl Manner {
    fn dependencies(self) -> String {
        let runtime = hotswap_tests::workspace().join("hotswap-runtime");
        match self {
            Self::Hotswap => format!("hotswap-runtime = {{ path = {runtime:?} }}\n"),
            Self::Subsecond => {
                format!("subsecond = \"={SUBSECOND}\"\ndioxus-devtools = \"={SUBSECOND}\"\n")
            }
            Self::HotLib(_) => "hot-lib-reloader = \"=0.8.2\"\nlib = { path = \"lib\" }\n".into(),
            Self::Plain => String::new(),
        }
    }

    /// A name that no other manner has.
    fn name(self) -> String {
        match self {
            Self::Hotswap => "hotswap".into(),
            Self::Subsecond => "subsecond".into(),
            Self::HotLib(debounce) => format!("hot-lib-{debounce}"),
            Self::Plain => "plain".into(),
        }
    }
}

/// Reads requests as mini-redis does, and answers them one connection at a time.
const MAIN: &str = r#"use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

DEFINED
fn main() {
    CONNECTED
    let port = std::env::args().nth(2).expect("a port").parse().expect("a number");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.expect("a connection"));
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
            if line == "answer\r\n" {
                let _ = write!(stream.get_mut(), "+{}\r\n", CALLED);
            }
            line.clear();
        }
    }
}
"#;

/// The package of one function, which is all that hot-lib-reloader's library has.
///
/// # Errors
///
/// Its folder can't be written.
pub fn tiny(manner: Manner) -> Result<Work> {
    let (root, target) = Work::folder(&format!("others-tiny-{}", manner.name()))?;
    let answer = format!("fn answer() -> u32 {{\n    std::hint::black_box({MARKER})\n}}\n");
    let (defined, connected, called) = match manner {
        Manner::Hotswap => (format!("#[hotswap::entry]\n{answer}"), "", "answer()"),
        Manner::Subsecond => (
            answer.clone(),
            "dioxus_devtools::connect_subsecond();",
            "subsecond::call(answer)",
        ),
        Manner::HotLib(debounce) => (hot_module(debounce, &target), "", "hot::answer()"),
        Manner::Plain => (answer.clone(), "", "answer()"),
    };
    let main = MAIN
        .replace("DEFINED\n", &defined)
        .replace("CONNECTED", connected)
        .replace("CALLED", called);
    fs::write(root.join("src/main.rs"), main)?;
    let mut manifest = format!(
        "[package]\nname = \"tiny\"\nedition = \"2024\"\n\n[dependencies]\n{}\n[workspace]\n",
        manner.dependencies()
    );
    let mut edited = "src/main.rs";
    if matches!(manner, Manner::HotLib(_)) {
        manifest += "members = [\"lib\"]\n";
        edited = "lib/src/lib.rs";
        fs::create_dir_all(root.join("lib/src"))?;
        fs::write(
            root.join("lib/Cargo.toml"),
            "[package]\nname = \"lib\"\nedition = \"2024\"\n\n[lib]\n\
             crate-type = [\"rlib\", \"dylib\"]\n",
        )?;
        fs::write(
            root.join(edited),
            format!("#[unsafe(no_mangle)]\npub {answer}"),
        )?;
    }
    fs::write(root.join("Cargo.toml"), manifest)?;
    if manner == Manner::Hotswap {
        let lock = hotswap_tests::workspace().join("Cargo.lock");
        fs::copy(lock, root.join("Cargo.lock"))?;
    }
    Work::new(root, target, edited)
}

fn hot_module(debounce: u32, target: &Path) -> String {
    let folder = target.join("debug");
    format!(
        "#[hot_lib_reloader::hot_module(dylib = \"lib\", lib_dir = {folder:?}, \
         file_watch_debounce = {debounce})]\nmod hot {{\n    \
         hot_functions_from_file!(\"lib/src/lib.rs\");\n}}\n"
    )
}

/// A command is applied through subsecond: the newest code makes the future, which is boxed since its
/// type is the newest code's too. All goes into the closure, because one that is as large as a
/// pointer is taken for a function pointer.
const APPLIED: &str = "{
                let mut all = Some((cmd, &self.db, &mut self.connection, &mut self.shutdown));
                type Applied<'a> =
                    std::pin::Pin<Box<dyn std::future::Future<Output = crate::Result<()>> + Send + 'a>>;
                subsecond::call(move || -> Applied<'_> {
                    let (cmd, db, connection, shutdown) = all.take().expect(\"one call\");
                    Box::pin(cmd.apply(db, connection, shutdown))
                })
            }";

/// mini-redis as it was published: its answer is in the library, behind its handler of connections.
///
/// # Errors
///
/// The package can't be fetched, or its folder can't be written.
pub fn redis(manner: Manner) -> Result<Work> {
    let (root, target) = Work::folder(&format!("others-mini-redis-{}", manner.name()))?;
    write_redis(&root, manner)?;
    Work::new(root, target, "src/cmd/get.rs")
}

/// mini-redis with the modules of the library in the server's crate: subsecond's documentation says
/// that a library beside `main.rs` is not patched.
///
/// # Errors
///
/// The package can't be fetched, or its folder can't be written.
pub fn redis_in_one_crate(manner: Manner) -> Result<Work> {
    let (root, target) = Work::folder(&format!("others-one-crate-{}", manner.name()))?;
    write_redis(&root, manner)?;
    one_crate(&root)?;
    Work::new(root, target, "src/cmd/get.rs")
}

fn write_redis(root: &Path, manner: Manner) -> Result<()> {
    mini_redis::copy(&mini_redis::sources()?, root)?;
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let added = format!("\n[dependencies]\n{}\n[workspace]\n", manner.dependencies());
    fs::write(root.join("Cargo.toml"), manifest + &added)?;
    let get = "        let response = if let Some(value) = db.get(&self.key) {";
    let marked = format!(
        "        let response = if self.key == \"answer\" {{\n            \
         Frame::Simple(std::hint::black_box({MARKER}).to_string())\n        \
         }} else if let Some(value) = db.get(&self.key) {{"
    );
    Work::prepare(root, "src/cmd/get.rs", get, &marked)?;
    match manner {
        Manner::Hotswap => {
            let apply = "    pub(crate) async fn apply(\n        self,\n        db: &Db,";
            let entry = format!("    #[hotswap::entry]\n{apply}");
            Work::prepare(root, "src/cmd/mod.rs", apply, &entry)?;
        }
        Manner::Subsecond => {
            let applied = "cmd.apply(&self.db, &mut self.connection, &mut self.shutdown)";
            Work::prepare(root, "src/server.rs", applied, APPLIED)?;
            let main = "    let cli = Cli::from_args();\n    let port";
            let connected = format!("    dioxus_devtools::connect_subsecond();\n{main}");
            Work::prepare(root, "src/bin/server.rs", main, &connected)?;
        }
        Manner::Plain | Manner::HotLib(_) => {}
    }
    Ok(())
}

fn one_crate(root: &Path) -> Result<()> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let cli = "[[bin]]\nname = \"mini-redis-cli\"\npath = \"src/bin/cli.rs\"\n";
    let manifest = manifest
        .replace(cli, "")
        .replace("src/bin/server.rs", "src/main.rs");
    fs::write(root.join("Cargo.toml"), manifest)?;
    let server = fs::read_to_string(root.join("src/bin/server.rs"))?;
    let server: String = server
        .replace("mini_redis::", "crate::")
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("use crate::"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let library = fs::read_to_string(root.join("src/lib.rs"))?;
    fs::write(root.join("src/main.rs"), library + &server)?;
    fs::remove_file(root.join("src/lib.rs"))?;
    Ok(fs::remove_dir_all(root.join("src/bin"))?)
}
