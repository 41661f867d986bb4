//! A table of bad set-ups, each one thing away from a good one.

use toml::Value;

use super::checks::{Status, all};
use super::facts::{Behind, Facts, Inotify, Package, Wrapper};
use crate::profile::Setting;
use crate::watch::Remote;

use good::{GNU, good};

mod good;

fn setting(value: impl Into<Value>) -> Option<Setting> {
    Some(Setting {
        value: value.into(),
        origin: "Cargo.toml".to_owned(),
    })
}

fn flags(facts: &mut Facts, text: &str) {
    facts.rustflags = text.split(' ').map(str::to_owned).collect();
}

fn package(facts: &mut Facts) -> &mut Package {
    facts
        .package
        .as_mut()
        .expect("the good set-up has a package")
}

type Change = fn(&mut Facts);

/// What is changed, the check that finds it, how bad it is, and words of message and help.
const BAD: [(&str, Change, &str, Status, &[&str]); 46] = [
    (
        "no compiler",
        |f| f.toolchain.error = Some("not found".into()),
        "toolchain",
        Status::Problem,
        &["not found", "rustup"],
    ),
    (
        "old compiler",
        |f| f.toolchain.version = "1.80.1".into(),
        "toolchain",
        Status::Problem,
        &["older than 1.95", "rustup update"],
    ),
    (
        "unreadable version",
        |f| f.toolchain.version = "x".into(),
        "toolchain",
        Status::Problem,
        &["older"],
    ),
    (
        "new compiler",
        |f| f.toolchain.version = "1.99.0".into(),
        "toolchain",
        Status::Warning,
        &["newer than 1.95", "cargo +1.95 hotswap run"],
    ),
    (
        "nightly",
        |f| f.toolchain.version = "1.97.0-nightly".into(),
        "toolchain",
        Status::Warning,
        &["nightly"],
    ),
    (
        "musl",
        |f| f.toolchain.target = "x86_64-unknown-linux-musl".into(),
        "target",
        Status::Problem,
        &["static", GNU],
    ),
    (
        "another target",
        |f| f.toolchain.target = "aarch64-unknown-linux-gnu".into(),
        "target",
        Status::Problem,
        &["aarch64", GNU],
    ),
    (
        "static",
        |f| flags(f, "-C target-feature=+aes,+crt-static"),
        "target",
        Status::Problem,
        &["could not load code"],
    ),
    (
        "no standard library",
        |f| f.toolchain.has_std = false,
        "target",
        Status::Problem,
        &["rustup target add"],
    ),
    (
        "wrapper gone",
        |f| {
            f.wrappers = vec![Wrapper {
                setting: "RUSTC_WRAPPER",
                program: "sccache".into(),
                found: false,
            }]
        },
        "wrapper",
        Status::Problem,
        &["RUSTC_WRAPPER = sccache", "no such program"],
    ),
    (
        "no C compiler",
        |f| f.linker.found = false,
        "linker",
        Status::Problem,
        &["`cc` was not found", "gcc"],
    ),
    (
        "gold",
        |f| f.linker.behind = Behind::Gold,
        "linker",
        Status::Problem,
        &["gold", "mold or wild"],
    ),
    (
        "another linker",
        |f| f.linker.behind = Behind::Other("ld.x".into()),
        "linker",
        Status::Problem,
        &["ld.x"],
    ),
    (
        "mold gone",
        |f| {
            f.linker.behind = Behind::Mold;
            f.linker.behind_found = false
        },
        "linker",
        Status::Problem,
        &["mold is asked for"],
    ),
    (
        "no rust-lld",
        |f| {
            f.patch_linker.rust_lld = false;
            f.patch_linker.instead = Some("/usr/bin/ld".into())
        },
        "patch linker",
        Status::Warning,
        &["/usr/bin/ld stands in"],
    ),
    (
        "no linker for patches",
        |f| f.patch_linker.rust_lld = false,
        "patch linker",
        Status::Problem,
        &["none of ld.lld"],
    ),
    (
        "lto",
        |f| f.profile.lto = setting("fat"),
        "lto",
        Status::Warning,
        &[
            "`lto = \"fat\"` in profile `release` (Cargo.toml)",
            "[profile.live]",
        ],
    ),
    (
        "lto of another kind",
        |f| f.profile.lto = setting(true),
        "lto",
        Status::Warning,
        &["`lto = true`"],
    ),
    (
        "abort",
        |f| f.profile.panic = setting("abort"),
        "panic",
        Status::Warning,
        &["ends the program"],
    ),
    (
        "one unit",
        |f| f.profile.codegen_units = setting(1),
        "codegen-units",
        Status::Warning,
        &["as a whole"],
    ),
    (
        "prefer-dynamic",
        |f| flags(f, "-C prefer-dynamic"),
        "rustflags",
        Status::Problem,
        &["prefer-dynamic"],
    ),
    (
        "the same, otherwise spelled",
        |f| flags(f, "-Cprefer_dynamic=yes"),
        "rustflags",
        Status::Problem,
        &["prefer-dynamic"],
    ),
    (
        "lto in the linker",
        |f| flags(f, "--codegen linker-plugin-lto"),
        "rustflags",
        Status::Problem,
        &["no machine code"],
    ),
    (
        "lto by flag",
        |f| flags(f, "--codegen=lto=thin"),
        "rustflags",
        Status::Warning,
        &["`-C lto`"],
    ),
    (
        "static by the linker",
        |f| f.rustflags = vec!["-Clink-args=-s -static".into()],
        "rustflags",
        Status::Problem,
        &["-static"],
    ),
    (
        "no package",
        |f| f.package = Err("could not find `Cargo.toml`".into()),
        "package",
        Status::Problem,
        &["could not find `Cargo.toml`", "--manifest-path"],
    ),
    (
        "several executables",
        |f| package(f).unclear = Some("several executables: a, b".into()),
        "executable",
        Status::Problem,
        &["several executables: a, b", "--bin NAME"],
    ),
    (
        "no runtime",
        |f| package(f).runtime = None,
        "runtime",
        Status::Problem,
        &["cargo hotswap init"],
    ),
    (
        "another runtime",
        |f| package(f).runtime = Some("0.2.0".into()),
        "runtime",
        Status::Problem,
        &["hotswap-runtime is 0.2.0, this tool is 0.1.0"],
    ),
    (
        "nothing marked",
        |f| package(f).entries = 0,
        "entries",
        Status::Problem,
        &["no function of `app`", "#[hotswap::entry]"],
    ),
    (
        "a cdylib",
        |f| package(f).shared_crates = vec!["core".into()],
        "crate-type",
        Status::Problem,
        &["`core`", "crate-type = [\"lib\"]"],
    ),
    (
        "bevy_dylib",
        |f| package(f).dynamic = vec!["bevy_dylib".into()],
        "crate-type",
        Status::Problem,
        &["`bevy_dylib`", "dynamic_linking"],
    ),
    (
        "a wrong setting",
        |f| f.settings = Err("hotswap.toml:1:8: no".into()),
        "settings",
        Status::Problem,
        &["hotswap.toml:1:8"],
    ),
    (
        "an unknown setting",
        |f| f.settings = Ok(vec!["unknown key `x`".into()]),
        "settings",
        Status::Warning,
        &["unknown key `x`"],
    ),
    (
        "sources on a share",
        |f| f.folders[0].remote = Some(Remote::Nfs),
        "sources",
        Status::Warning,
        &["NFS", "watch.poll"],
    ),
    (
        "target on a share",
        |f| f.folders[1].remote = Some(Remote::Fuse),
        "target folder",
        Status::Warning,
        &["FUSE", "CARGO_TARGET_DIR"],
    ),
    (
        "target not executable",
        |f| f.folders[1].noexec = true,
        "target folder",
        Status::Problem,
        &["noexec", "CARGO_TARGET_DIR"],
    ),
    (
        "target read-only",
        |f| f.folders[1].read_only = true,
        "target folder",
        Status::Problem,
        &["can't be written"],
    ),
    (
        "temporary files read-only",
        |f| f.folders[2].read_only = true,
        "temporary files",
        Status::Problem,
        &["TMPDIR"],
    ),
    (
        "little room",
        |f| f.folders[1].free = Some(500 << 20),
        "target folder",
        Status::Warning,
        &["500 MiB left", "clean"],
    ),
    (
        "no room",
        |f| f.folders[2].free = Some(5 << 20),
        "temporary files",
        Status::Problem,
        &["5 MiB left"],
    ),
    (
        "no place for sockets",
        |f| f.sockets = Err("/tmp/hotswap-1: it is another user's".into()),
        "sockets",
        Status::Problem,
        &["another user's", "XDG_RUNTIME_DIR"],
    ),
    (
        "too few watches",
        |f| f.inotify.max_watches = Some(25),
        "watching",
        Status::Warning,
        &[
            "20 folders are to be watched, 10 are watched already, and 25 may",
            "sysctl fs.inotify.max_user_watches=524288",
        ],
    ),
    (
        "too few queues",
        |f| f.inotify.instances = 128,
        "watching",
        Status::Warning,
        &["sysctl fs.inotify.max_user_instances=1024"],
    ),
    (
        "no /proc",
        |f| f.system.proc = false,
        "system",
        Status::Problem,
        &["/proc is not mounted"],
    ),
    (
        "no membarrier",
        |f| f.system.membarrier = false,
        "system",
        Status::Warning,
        &["membarrier", "seccomp"],
    ),
];

#[test]
fn each_bad_set_up_is_found_and_nothing_else() {
    for (what, change, check, status, words) in BAD {
        let mut facts = good();
        change(&mut facts);
        let found = all(&facts);
        let bad: Vec<_> = found.iter().filter(|one| one.status > Status::Ok).collect();
        let [one] = bad.as_slice() else {
            panic!("{what}: {bad:#?}");
        };
        assert_eq!((one.check, one.status), (check, status), "{what}");
        let help = one.help.as_deref().unwrap_or_default();
        assert!(!help.is_empty(), "{what} has no help");
        let text = format!("{}\n{help}", one.message);
        for word in words {
            assert!(text.contains(word), "{what}: {text:?} lacks {word:?}");
        }
    }
}

#[test]
fn what_is_good_is_left_alone() {
    let changes: [(&str, Change); 14] = [
        ("nothing", |_| {}),
        ("lto off", |f| f.profile.lto = setting(false)),
        ("lto off in words", |f| f.profile.lto = setting("off")),
        ("strip", |f| f.profile.strip = setting("symbols")),
        ("no debug information", |f| f.profile.debug = setting(0)),
        ("split debug information", |f| {
            f.profile.split_debuginfo = setting("packed")
        }),
        ("optimised", |f| f.profile.opt_level = setting(3)),
        ("many units", |f| f.profile.codegen_units = setting(16)),
        ("unwinding", |f| f.profile.panic = setting("unwind")),
        ("other flags", |f| {
            flags(f, "-C target-cpu=native --cfg x -C prefer-dynamic=no")
        }),
        ("mold", |f| f.linker.behind = Behind::Mold),
        ("a wrapper", |f| {
            f.wrappers = vec![Wrapper {
                setting: "RUSTC_WRAPPER",
                program: "sccache".into(),
                found: true,
            }]
        }),
        ("a container", |f| {
            f.system.container = Some("docker".into());
            f.system.seccomp = true
        }),
        ("limits unknown", |f| {
            f.inotify = Inotify {
                needed: 9,
                ..Inotify::default()
            }
        }),
    ];
    for (what, change) in changes {
        let mut facts = good();
        change(&mut facts);
        let found = all(&facts);
        let bad: Vec<_> = found.iter().filter(|one| one.status > Status::Ok).collect();
        assert!(bad.is_empty(), "{what}: {bad:#?}");
    }
}

#[test]
fn findings_are_counted() {
    let mut facts = good();
    facts.profile.lto = setting(true);
    package(&mut facts).entries = 0;
    facts.system.proc = false;
    let text = super::text(&all(&facts));
    assert!(text.ends_with("2 problems and 1 warning\n"), "{text}");
    assert!(super::text(&all(&good())).ends_with("no problems and no warnings\n"));
}
