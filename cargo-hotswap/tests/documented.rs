//! Commands in the documentation are such as the tool takes, and the examples name files and variables as the tool does.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_hotswap::cli;
use clap::error::ErrorKind;
use hotswap_protocol::{address, env};

/// What ends a command for a shell.
const ENDS: [&str; 6] = ["|", "||", "&", "&&", ";", ">"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("docs/examples").join(name)).unwrap()
}

/// The pages for people who use it.
fn pages() -> Vec<PathBuf> {
    let in_folder = |folder: &str| fs::read_dir(root().join(folder)).unwrap();
    let files = in_folder("book/src").chain(in_folder("docs"));
    let files = files.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .chain([root().join("README.md")])
        .collect()
}

/// The words behind `cargo hotswap` in a line of a shell, or none.
fn words(line: &str) -> Option<Vec<String>> {
    let words = shlex::split(line)?;
    let is_ours = |pair: &[String]| {
        let tool = Path::new(&pair[0]).file_name();
        tool.is_some_and(|it| it == "cargo" || it == "cargo-hotswap") && pair[1] == "hotswap"
    };
    let start = words.windows(2).position(is_ours)?;
    let words = words.into_iter().skip(start + 1);
    Some(
        words
            .take_while(|word| !ENDS.contains(&word.as_str()))
            .collect(),
    )
}

/// Why the tool does not take a command, if it does not.
fn refusal(words: &[String]) -> Option<String> {
    let words = ["cargo"]
        .into_iter()
        .chain(words.iter().map(String::as_str));
    let error = cli::command().try_get_matches_from(words).err()?;
    let asks = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    (!asks).then(|| error.to_string())
}

#[test]
fn commands_in_pages_are_taken() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let Some(words) = words(line) else { continue };
            seen += 1;
            let refusal = refusal(&words);
            wrong.extend(refusal.map(|it| format!("{}: {line}\n{it}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "only {seen} commands");
}

/// The words of `NAME=VALUE`, of all lines.
fn variables(text: &str) -> BTreeSet<&str> {
    let before = text
        .split('=')
        .filter_map(|it| it.split(['\n', ' ']).next_back());
    before
        .filter(|name| {
            !name.is_empty() && name.chars().all(|it| it.is_ascii_uppercase() || it == '_')
        })
        .collect()
}

#[test]
fn the_recipe_of_a_container_is_that_of_the_tool() {
    let recipe = example("Containerfile");
    let lines = recipe.lines().map(|line| line.trim_start_matches("# "));
    let commands: Vec<_> = lines.filter_map(words).collect();
    for words in &commands {
        assert_eq!(refusal(words), None, "{words:?}");
    }
    let [make, unpack] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let version = &make[3];
    assert_eq!(make[..3], ["hotswap", "release", "make"]);
    assert_eq!(
        unpack[1..],
        [
            "release",
            "unpack",
            "--root",
            "/unpacked",
            &format!("web-{version}.hotrelease")
        ]
    );
    // Where `release unpack` puts it.
    let copied =
        format!("COPY --from=build /unpacked/web/releases/{version}/web /usr/local/bin/web\n");
    assert!(recipe.contains(&copied), "no {copied}");
    for name in variables(&recipe) {
        let known = [env::LISTEN, env::RELEASES, env::PUBLIC_KEY].contains(&name);
        assert!(known, "{name}");
    }
}

#[test]
fn the_unit_of_a_service_is_that_of_the_tool() {
    let unit = example("web.service");
    // What `release permanent` names.
    let start = "\nExecStart=/var/lib/web/releases/web/permanent/web ";
    assert!(unit.contains(start), "no {start}");
    let names: Vec<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            address::RUNTIME_DIR_VARIABLE,
            env::LISTEN,
            env::AUDIT,
            env::SYSTEM_TUNABLES
        ]
    );
}

#[test]
fn systemd_takes_the_unit() {
    let unit = root().join("docs/examples/web.service");
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .arg(unit)
        .output();
    let Ok(verify) = verify else {
        // Past the captured output; whoever closed it does not read it.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: systemd-analyze is not installed"
        );
        return;
    };
    let said = String::from_utf8_lossy(&verify.stderr);
    // Here there is no release. What it says of other units is theirs.
    let of_it = said.lines().filter(|line| line.contains("web.service"));
    let wrong: Vec<_> = of_it
        .filter(|line| !line.contains("is not executable"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
