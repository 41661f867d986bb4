//! Host and images share their state: compiled, rewritten and linked for real.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod toolchain;

use hotswap_object::{Bindings, Form, RewriteError, SiteCounts};
use toolchain::{Build, Host, image, run};

/// Images in the order they are called, by the name of their version.
const ORDER: [&str; 12] = [
    "host", "first", "second", "first", "host", "second", "second", "host", "first", "second",
    "host", "first",
];

fn check(name: &str, flags: &[&str], forms: &[Form]) {
    let host = Host::build(name, flags);
    let first = Build::objects(&host.directory.join("first"), flags);
    let second = Build::objects(
        &host.directory.join("second"),
        &[flags, &["--cfg", "second"]].concat(),
    );
    let mut counts = SiteCounts::default();
    let mut images = Vec::new();
    for (version, build) in [("first", first), ("second", second)] {
        let bindings = host.bind(&build);
        images.push((version, image(&build, &bindings, &mut counts)));
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
        &["--crate-type=bin"],
        &[Form::LeaInPlace, Form::DestinationThunk, Form::LocalExec],
    );
}

#[test]
fn release_binary_shares_state() {
    let flags = ["--crate-type=bin", "-O", "-Clink-dead-code"];
    check(
        "release-bin",
        &flags,
        &[Form::SpillThunk, Form::CallThunk, Form::LocalExec],
    );
}

#[test]
fn position_independent_debug_shares_state() {
    let flags = ["--crate-type=bin", "-Crelocation-model=pic"];
    check("debug-pic", &flags, &[Form::LeaInPlace]);
}

#[test]
fn unbound_static_is_refused() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("unbound");
    let build = Build::objects(&directory, &["--crate-type=bin"]);
    let rewrites = build.objects.iter().map(|path| {
        let object = std::fs::read(path).unwrap();
        hotswap_object::rewrite(&object, &Bindings::default())
    });
    let unbound =
        |result: Result<_, RewriteError>| matches!(result, Err(RewriteError::Unbound { .. }));
    assert!(rewrites.map(unbound).any(|refused| refused));
}
