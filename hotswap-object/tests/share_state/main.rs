//! Host and images share their state: compiled, rewritten and linked for real.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod toolchain;

use std::sync::LazyLock;

use hotswap_object::{Bindings, Form, RewriteError, SiteCounts};
use toolchain::{Build, Host, code_range, image, run};

/// Images in the order they are called, by the name of their version.
const ORDER: [&str; 12] = [
    "host", "first", "second", "first", "host", "second", "second", "host", "first", "second",
    "host", "first",
];

/// Position-independent, which is rustc's default and is said so that it stays so.
const DEBUG: [&str; 3] = [
    "--crate-type=bin",
    "--crate-name=state",
    "-Crelocation-model=pic",
];
/// As the tool compiles for bases: functions are the compiler's own, statics are not.
const BASE: [&str; 7] = [
    "--crate-type=bin",
    "--crate-name=state",
    "-O",
    "-Clto=off",
    "-Ccodegen-units=1",
    "-Cllvm-args=-opt-disable=mergefunc,called-value-propagation,globalopt,ipsccp",
    "-Cllvm-args=-enable-global-analyses=false",
];
/// As it compiles for runs, with optimisation.
const RELEASE: [&str; 5] = [
    "--crate-type=bin",
    "--crate-name=state",
    "-O",
    "-Clink-dead-code",
    "-Clto=off",
];

// More than one test begins with these.
static DEBUG_HOST: LazyLock<Host> = LazyLock::new(|| Host::build("debug-bin", &DEBUG));
static RELEASE_HOST: LazyLock<Host> = LazyLock::new(|| Host::build("release-bin", &RELEASE));

fn check(name: &str, host: &Host, flags: &[&str], forms: &[Form]) {
    let second = Build::objects(
        &host.directory.join("second"),
        &[flags, &["--cfg", "second"]].concat(),
    );
    let mut counts = SiteCounts::default();
    let mut images = Vec::new();
    for (version, build) in [("first", &host.first), ("second", &second)] {
        let directory = host.directory.join(version).join("image");
        let bindings = host.bind(build);
        images.push((version, image(&directory, build, &bindings, &mut counts)));
    }
    let arguments = ORDER.map(
        |version| match images.iter().find(|(name, _)| *name == version) {
            Some((_, path)) => path.to_str().unwrap(),
            None => "host",
        },
    );
    let plain = run(&host.executable, &["host"; ORDER.len()]);
    let swapped = run(&host.executable, &arguments);
    assert_eq!(plain.lines, swapped.lines, "{name}");
    let versions = ORDER.map(|version| {
        if version == "second" {
            "second"
        } else {
            "first"
        }
    });
    assert_eq!(swapped.versions, versions);
    for form in forms {
        assert_ne!(counts.get(*form), 0, "{name}: {form:?} did not occur");
    }
}

#[test]
fn debug_binary_shares_state() {
    check(
        "debug-bin",
        &DEBUG_HOST,
        &DEBUG,
        &[Form::LeaInPlace, Form::DestinationThunk, Form::LocalExec],
    );
}

#[test]
fn release_binary_shares_state() {
    check(
        "release-bin",
        &RELEASE_HOST,
        &RELEASE,
        &[Form::SpillThunk, Form::CallThunk, Form::LocalExec],
    );
}

#[test]
fn base_binary_shares_state() {
    let host = Host::build("base-bin", &BASE);
    check(
        "base-bin",
        &host,
        &BASE,
        &[Form::SpillThunk, Form::LocalExec],
    );
}

#[test]
fn debug_library_shares_state() {
    let flags = ["--crate-type=rlib", "--crate-name=state"];
    let host = Host::build("debug-lib", &flags);
    check(
        "debug-lib",
        &host,
        &flags,
        &[Form::LeaInPlace, Form::GeneralDynamic],
    );
}

#[test]
fn release_library_shares_state() {
    let flags = [
        "--crate-type=rlib",
        "--crate-name=state",
        "-O",
        "-Clink-dead-code",
        "-Clto=off",
    ];
    let forms = [
        Form::SpillThunk,
        Form::CallThunk,
        Form::LocalDynamic,
        Form::ModuleOffset,
    ];
    let host = Host::build("release-lib", &flags);
    check("release-lib", &host, &flags, &forms);
}

/// Every instruction of an image, those in thunks too, unwinds to the host.
#[test]
fn stacks_unwind_at_every_instruction() {
    let host = &*RELEASE_HOST;
    let mut counts = SiteCounts::default();
    let directory = host.directory.join("trace");
    let image = image(
        &directory,
        &host.first,
        &host.bind(&host.first),
        &mut counts,
    );
    assert_ne!(counts.get(Form::SpillThunk), 0);
    let (start, end) = code_range(&image);
    let arguments = [
        "trace",
        image.to_str().unwrap(),
        &start.to_string(),
        &end.to_string(),
    ];
    let trace = run(&host.executable, &arguments);
    let (taken, failed) = trace.lines[0].split_once(' ').unwrap();
    assert!(taken.parse::<usize>().unwrap() > 1000);
    assert_eq!(failed, "0", "of {taken}");
}

#[test]
fn unbound_static_is_refused() {
    let rewrites = DEBUG_HOST.first.objects.iter().map(|path| {
        let object = std::fs::read(path).unwrap();
        hotswap_object::rewrite(&object, &Bindings::default())
    });
    let mut refusals = rewrites.filter_map(Result::err);
    assert!(refusals.any(|error| matches!(error, RewriteError::Unbound { .. })));
}
