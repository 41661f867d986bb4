//! One test for each scenario, profile and mode, and for each linker and compiler cache that is
//! installed: `cargo test -p hotswap-tests --test scenarios NAME`.

mod compiler_cache;
mod linkers;

use std::{fs, process::ExitCode};

use anyhow::Result;
use hotswap_tests::{Mode, Profile, play, runner, scenario_script, scenarios};
use libtest_mimic::{Arguments, Trial};

/// More than the smallest machine that this is meant for has cores, since cargo lets one build at a time
/// into a target folder, and programs wait as well.
const THREADS: usize = 5;

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let mut names = fs::read_dir(scenarios())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    let mut trials = compiler_cache::trials();
    trials.extend(linkers::trials());
    for name in names {
        let script = scenario_script(&name)?;
        if let (Some(_), Some(reason)) = (runner(), &script.no_runner) {
            println!("NOT TESTED: {name}: {reason}");
            continue;
        }
        for profile in script.profiles {
            let word = format!("{profile:?}").to_lowercase();
            trials.push(trial(&name, &word, profile, Mode::Hot));
        }
        if !script.hot_only {
            trials.push(trial(&name, "plain", Profile::Dev, Mode::Plain));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn trial(name: &str, word: &str, profile: Profile, mode: Mode) -> Trial {
    let scenario = name.to_owned();
    Trial::test(format!("{name}::{word}"), move || {
        play(&scenario, profile, mode).map_err(|error| format!("{error:#}").into())
    })
}
