//! The order of settings, and what is said of wrong ones.

use std::path::Path;
use std::time::Duration;

use super::{Config, Flags, Layer, OnRefused, Poll, Stay};

fn file(text: &str) -> Layer {
    Layer::of_toml(Path::new("hotswap.toml"), text, &[]).unwrap()
}

fn variables(text: &str) -> Layer {
    let pairs = text
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap());
    Layer::of_environment(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

#[test]
fn the_stronger_place_decides() {
    let manifest = "[workspace.metadata.hotswap]\nkeys = true\nlinker = \"w\"\non-refused = \
                    \"restart\"\ndebug-patches = true\non-panic = \"keep\"\nthird-version = \"wait\"\nwatch.poll = 10\nwatch.ignore = [\"w\"]\n\
                    [package.metadata.hotswap]\nkeys = false\nlinker = \"p\"\nwatch.poll = 20\n";
    let of_manifest = |part: &str| {
        let path = Path::new("Cargo.toml");
        Layer::of_toml(path, manifest, &[part, "metadata", "hotswap"]).unwrap()
    };
    let flags = Flags {
        on_refused: Some(OnRefused::Keep),
        stay: Some(Stay::Never),
        ..Flags::default()
    };
    let config = Config::of_layers(vec![
        of_manifest("workspace"),
        of_manifest("package"),
        file("\nlinker = \"f\"\n[watch]\npoll = 30\nignore = [\"f\", \"g/**\"]\n"),
        variables("HOTSWAP_WATCH_POLL=40 HOTSWAP_LINK=x HOTSWAP_PUBLIC_KEY=y PATH=z"),
        Layer::of_flags(&flags),
    ])
    .unwrap();
    assert_eq!(config.warnings, [""; 0]);
    for (value, origin, expected) in [
        (
            format!("{}", config.debug_patches.value),
            &config.debug_patches.origin,
            "true Cargo.toml:5",
        ),
        (
            format!("{}", config.keys.value),
            &config.keys.origin,
            "false Cargo.toml:11",
        ),
        (
            format!("{:?}", config.linker.value),
            &config.linker.origin,
            "Some(\"f\") hotswap.toml:2",
        ),
        (
            format!("{:?}", config.on_refused.value),
            &config.on_refused.origin,
            "Keep --on-refused",
        ),
        (
            format!("{:?}", config.on_panic.value),
            &config.on_panic.origin,
            "Keep Cargo.toml:6",
        ),
        (
            format!("{:?}", config.stay.value),
            &config.stay.origin,
            "Never --stay",
        ),
        (
            format!("{:?}", config.third_version.value),
            &config.third_version.origin,
            "Wait Cargo.toml:7",
        ),
        (
            format!("{:?}", config.watch_ignore.value),
            &config.watch_ignore.origin,
            "[\"f\", \"g/**\"] hotswap.toml:5",
        ),
        (
            format!("{:?}", config.watch_poll.value),
            &config.watch_poll.origin,
            "Always(Some(40ms)) HOTSWAP_WATCH_POLL",
        ),
    ] {
        assert_eq!(format!("{value} {origin}"), expected);
    }
    let ignored = config.ignored().unwrap();
    assert!(ignored.is_match("g/a/b.rs") && !ignored.is_match("w"));
    assert_eq!(Config::of_layers(Vec::new()).unwrap(), Config::default());
}

#[test]
fn values_are_read() {
    for (text, expected) in [
        ("watch.poll = true", Poll::Always(None)),
        ("watch.poll = false", Poll::Never),
        (
            "watch.poll = 0x64",
            Poll::Always(Some(Duration::from_millis(100))),
        ),
        ("", Poll::WhereNeeded),
    ] {
        let config = Config::of_layers(vec![file(text)]).unwrap();
        assert_eq!(config.watch_poll.value, expected, "{text}");
    }
    for (text, expected) in [
        ("HOTSWAP_WATCH_POLL=true", Poll::Always(None)),
        (
            "HOTSWAP_WATCH_POLL=50",
            Poll::Always(Some(Duration::from_millis(50))),
        ),
    ] {
        let config = Config::of_layers(vec![variables(text)]).unwrap();
        assert_eq!(config.watch_poll.value, expected, "{text}");
    }
    let config = Config::of_layers(vec![variables("HOTSWAP_WATCH_IGNORE=a/*.{x,y}:b")]).unwrap();
    assert_eq!(config.watch_ignore.value, ["a/*.{x,y}", "b"]);
    // A linker may be called by a number.
    let config = Config::of_layers(vec![variables("HOTSWAP_LINKER=1 HOTSWAP_KEYS=true")]).unwrap();
    assert_eq!(config.linker.value.as_deref(), Some("1"));
    assert!(config.keys.value);
    let config = Config::of_layers(vec![variables("HOTSWAP_STAY=always")]).unwrap();
    assert_eq!(config.stay.value, Stay::Always);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, expected) in [
        (
            "keys = 1",
            "hotswap.toml:1:8: `keys` must be `true` or `false`, not a number",
        ),
        (
            "\n[watch]\n  poll = \"x\"",
            "hotswap.toml:3:10: `watch.poll` must be `true`, `false` or a number of milliseconds up to an hour, not a string",
        ),
        (
            "watch.poll = 0",
            "hotswap.toml:1:14: `watch.poll` must be `true`, `false` or a number of milliseconds up to an hour, not a number",
        ),
        (
            "watch.ignore = \"*\"",
            "hotswap.toml:1:16: `watch.ignore` must be an array of globs, not a string",
        ),
        (
            "watch.ignore = [1]",
            "hotswap.toml:1:16: `watch.ignore` must be an array of globs, not an array of other things",
        ),
        (
            "watch.ignore = [\"a[\"]",
            "hotswap.toml:1:16: `watch.ignore`: error parsing glob 'a[': unclosed character class; missing ']'",
        ),
        (
            "on-refused = \"stop\"",
            "hotswap.toml:1:14: `on-refused` must be \"keep\", \"restart\" or \"restart-with-state\", not a string",
        ),
        (
            "stay = true",
            "hotswap.toml:1:8: `stay` must be \"crash\", \"always\" or \"never\", not a boolean",
        ),
        (
            "watch = 5",
            "hotswap.toml:1:9: `watch` must be a table, not a number",
        ),
        (
            "linker = [\"ld\"]",
            "hotswap.toml:1:10: `linker` must be a linker's path or name, not an array of strings",
        ),
        ("\u{1f980}.a = 1", "hotswap.toml:1:1: "),
        ("keys = true\nkeys =", "hotswap.toml:2:7: "),
    ] {
        let layer = Layer::of_toml(Path::new("hotswap.toml"), text, &[]);
        let error = layer
            .and_then(|layer| Config::of_layers(vec![layer]))
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let error = Config::of_layers(vec![variables("HOTSWAP_KEYS=yes")]).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "HOTSWAP_KEYS: `keys` must be `true` or `false`, not a string"
    );
}

#[test]
fn unknown_keys_are_warnings_that_name_the_nearest() {
    for (text, expected) in [
        (
            "debug_patches = true",
            "hotswap.toml:1: unknown key `debug_patches`; did you mean `debug-patches`?",
        ),
        (
            "\n[watch]\nignores = []",
            "hotswap.toml:3: unknown key `watch.ignores`; did you mean `watch.ignore`?",
        ),
        (
            "[wacth]\npoll = 1",
            "hotswap.toml:1: unknown key `wacth`; did you mean `watch`?",
        ),
        (
            "colour = 1",
            "hotswap.toml:1: unknown key `colour`; known are `debug-patches`, `keys`,",
        ),
    ] {
        let layer = file(text);
        assert!(layer.settings.is_empty(), "{text}");
        assert!(
            layer.warnings[0].starts_with(expected),
            "{text}: {:?}",
            layer.warnings
        );
        assert_eq!(layer.warnings.len(), 1);
    }
    let layer = variables("HOTSWAP_WATCH_POL=1 HOTSWAP_TESTS_TOOL=x HOTSWAP_ELSE=1");
    assert_eq!(
        layer.warnings,
        ["unknown variable `HOTSWAP_WATCH_POL`; did you mean `HOTSWAP_WATCH_POLL`?"]
    );
}
