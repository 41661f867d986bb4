//! What is found out of rustc with these options.

use std::process::Command;

use super::changed_by;
use crate::children::none_ends_them;
use crate::plugin::rustc_args::RustcArgs;
use crate::plugin::wrapper;

fn check(options: &[String], expected: &[&str]) {
    let _alone = none_ends_them();
    let changed = changed_by(Command::new("rustc"), options).expect("rustc compiles it");
    assert!(changed.iter().eq(expected), "{options:?}: {changed:?}");
}

#[test]
fn statics_stay_as_they_are_written() {
    for for_base in [true, false] {
        for level in ["1", "2", "3", "s", "z"] {
            let line = RustcArgs(vec![format!("-Copt-level={level}")]);
            check(&super::options(&wrapper::patchable(line, for_base)), &[]);
        }
    }
}

#[test]
fn a_compiler_that_changes_them_is_found_out() {
    let all = [
        "CALLED",
        "NARROWED",
        "READ",
        "SPLIT",
        "WRITTEN",
        "probe_other",
    ];
    let level = "-Copt-level=3".to_owned();
    check(std::slice::from_ref(&level), &all);
    // As if its names of the passes were others.
    let others = "-Cllvm-args=-opt-disable=global-opt,ip-sccp,merge-func";
    check(&[level, others.to_owned()], &all);
}
