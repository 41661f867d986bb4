//! Flags that hot crates get.

use super::patchable;
use crate::plugin::rustc_args::RustcArgs;

/// The flags of these names after these, for a base or for a run.
fn check(flags: &str, for_base: bool, expected: &[(&str, Option<&str>)]) {
    let line = RustcArgs(flags.split(' ').map(str::to_owned).collect());
    let line = patchable(line, for_base);
    for (name, value) in expected {
        assert_eq!(line.codegen(name), *value, "{name} after {flags}");
    }
}

#[test]
fn crates_are_whole_for_bases_unless_the_profile_says_otherwise() {
    let whole = [("codegen-units", Some("1")), ("link-dead-code", None)];
    let dead_code = ("link-dead-code", Some(""));
    check("-Copt-level=3", true, &whole);
    check("-O", true, &whole);
    check("-Copt-level=s -Ccodegen-units=1", true, &whole);
    check("-O -Clink-dead-code", true, &whole);
    check("-O -Clto=fat", true, &[("lto", Some("off"))]);
    check("-O", false, &[("codegen-units", None), dead_code]);
    check(
        "-O -Ccodegen-units=1",
        false,
        &[("codegen-units", Some("1")), dead_code],
    );
    check(
        "-O -Ccodegen-units=4",
        true,
        &[("codegen-units", Some("4")), dead_code],
    );
    check(
        "-O -Cincremental=x",
        true,
        &[("codegen-units", None), dead_code],
    );
    check("-O", true, &[("strip", Some("debuginfo"))]);
    check("-O -Cdebuginfo=0", true, &[("strip", Some("debuginfo"))]);
    for debug in ["-Cdebuginfo=line-tables-only", "-Cdebuginfo=1"] {
        check(&format!("-O {debug}"), true, &[("strip", Some("none"))]);
    }
    check("-O", false, &[("strip", Some("none"))]);
    let plain = [
        ("codegen-units", None),
        ("link-dead-code", None),
        ("lto", None),
    ];
    check("-Cincremental=x", true, &plain);
}
