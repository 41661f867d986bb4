//! Checks with plain cargo that each version of the named scenarios (all, if none) compiles.

use std::{env, fs, process::ExitCode};

use anyhow::Result;
use hotswap_tests::{scenarios, walk};

fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let mut names = fs::read_dir(scenarios())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    names.retain(|name| wanted.is_empty() || wanted.iter().any(|part| name.contains(part)));
    let mut bad = 0_u8;
    for name in names {
        match walk(&name) {
            Ok(()) => println!("ok     {name}"),
            Err(error) => {
                println!("FAILED {name}: {error:#}");
                bad = bad.saturating_add(1);
            }
        }
    }
    Ok(ExitCode::from(bad))
}
