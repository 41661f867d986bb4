//! Checks of what builds the program: compiler, linkers, profile, flags.

use super::{Finding, ok, problem, warning};
use crate::doctor::facts::{Behind, Facts, Profile};
use crate::profile::Setting;

/// The oldest and the newest minor version of Rust 1 that are tested.
const TESTED: [u64; 2] = [95, 95];

/// The one target whose programs can be patched.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Whether the compiler is one that hotswap is tested with.
pub fn toolchain(facts: &Facts) -> Finding {
    let check = "toolchain";
    let toolchain = &facts.toolchain;
    if let Some(error) = &toolchain.error {
        return problem(
            check,
            format!("rustc can't be run: {error}"),
            "install Rust with rustup, or set RUSTC to a compiler that is there",
        );
    }
    let version = &toolchain.version;
    let mut numbers = version.split(['.', '-']).map(str::parse::<u64>);
    let minor = match (numbers.next(), numbers.next()) {
        (Some(Ok(1)), Some(Ok(minor))) => minor,
        _ => 0,
    };
    let [oldest, newest] = TESTED;
    if minor < oldest {
        problem(
            check,
            format!("rustc {version} is older than 1.{oldest}"),
            "run `rustup update`, or choose a newer toolchain in rust-toolchain.toml",
        )
    } else if version.contains("nightly") || version.contains("dev") || version.contains("beta") {
        warning(
            check,
            format!(
                "rustc {version}: hotswap reads what stable compilers write, and is tested with 1.{newest}"
            ),
            format!("if edits fail, try `cargo +1.{newest} hotswap run`"),
        )
    } else if minor > newest {
        warning(
            check,
            format!(
                "rustc {version} is newer than 1.{newest}, the newest that this version was tested with"
            ),
            format!("update hotswap; if edits fail, try `cargo +1.{newest} hotswap run`"),
        )
    } else {
        ok(check, format!("rustc {version}"))
    }
}

/// Whether programs for the target can load code.
pub fn target(facts: &Facts) -> Finding {
    let check = "target";
    let toolchain = &facts.toolchain;
    let flags = Flags(&facts.rustflags);
    let to_gnu =
        format!("build for {TARGET}: `--target {TARGET}`, or `build.target` in .cargo/config.toml");
    if toolchain.target.ends_with("-musl") {
        problem(
            check,
            format!(
                "{}: the program would be static, and could not load code",
                toolchain.target
            ),
            to_gnu,
        )
    } else if toolchain.target != TARGET {
        problem(
            check,
            format!(
                "{}: code can be swapped in programs for {TARGET} only",
                toolchain.target
            ),
            to_gnu,
        )
    } else if flags
        .codegen("target-feature")
        .any(|value| value.contains("+crt-static"))
    {
        problem(
            check,
            "`+crt-static` in rustflags: the program would be static, and could not load code",
            "leave `-C target-feature=+crt-static` out while you use hotswap",
        )
    } else if !toolchain.has_std {
        problem(
            check,
            format!(
                "the standard library for {} is not installed",
                toolchain.target
            ),
            format!("run `rustup target add {}`", toolchain.target),
        )
    } else {
        ok(check, toolchain.target.clone())
    }
}

/// Whether programs between cargo and rustc are there.
pub fn wrappers(facts: &Facts) -> Vec<Finding> {
    let judged = facts.wrappers.iter().map(|wrapper| {
        let name = format!("{} = {}", wrapper.setting, wrapper.program);
        match wrapper.found {
            true => ok(
                "wrapper",
                format!("{name}: is chained; crates of the workspace are compiled past a cache"),
            ),
            false => problem(
                "wrapper",
                format!("{name}: there is no such program"),
                "install it, or take the setting out",
            ),
        }
    });
    judged.collect()
}

/// Whether the linker of executables is there and known.
pub fn linker(facts: &Facts) -> Finding {
    let check = "linker";
    let linker = &facts.linker;
    let (name, known) = match &linker.behind {
        Behind::RustLld => ("rust-lld", true),
        Behind::Lld => ("lld", true),
        Behind::Bfd => ("GNU ld", true),
        Behind::Mold => ("mold", true),
        Behind::Wild => ("wild", true),
        Behind::Gold => ("gold", false),
        Behind::Other(name) => (name.as_str(), false),
    };
    if !linker.found {
        return problem(
            check,
            format!("`{}` was not found", linker.program),
            "install a C compiler (`apt-get install gcc`, `dnf install gcc`), or correct `linker` in \
             .cargo/config.toml",
        );
    }
    if !linker.behind_found {
        return problem(
            check,
            format!("{name} is asked for and was not found"),
            "install it, or take it out of rustflags",
        );
    }
    match known {
        true => ok(check, format!("{name}, through {}", linker.program)),
        false => problem(
            check,
            format!(
                "{name}, through {}, is not among the linkers that hotswap is tested with, and is \
                 refused",
                linker.program
            ),
            "use rust-lld (the default), GNU ld, lld, mold or wild",
        ),
    }
}

/// Whether there is a linker for patches.
pub fn patch_linker(facts: &Facts) -> Finding {
    let check = "patch linker";
    let linker = &facts.patch_linker;
    match (&linker.rust_lld, &linker.instead) {
        (true, _) => ok(check, "rustc's own rust-lld"),
        (false, Some(other)) => warning(
            check,
            format!(
                "rustc's own rust-lld is missing; {} stands in for it",
                other.display()
            ),
            "use a toolchain of rustup's, which has it",
        ),
        (false, None) => problem(
            check,
            "rustc's own rust-lld is missing, and none of ld.lld, mold and ld is on the path",
            "use a toolchain of rustup's, which has it, or install lld",
        ),
    }
}

/// A setting of the profile that makes a difference.
struct Matter<'a> {
    name: &'static str,
    setting: &'a Option<Setting>,
    applies: fn(&Setting) -> bool,
    /// What comes of it, as it follows the setting in a sentence.
    effect: &'static str,
    help: Option<&'static str>,
}

fn is_off(setting: &Setting) -> bool {
    matches!(&setting.value, toml::Value::Boolean(false))
        || matches!(setting.value.as_str(), Some("off" | "none" | "0"))
        || setting.value.as_integer() == Some(0)
}

fn is_on(setting: &Setting) -> bool {
    !is_off(setting)
}

fn matter<'a>(
    name: &'static str,
    setting: &'a Option<Setting>,
    applies: fn(&Setting) -> bool,
    effect: &'static str,
    help: Option<&'static str>,
) -> Matter<'a> {
    Matter {
        name,
        setting,
        applies,
        effect,
        help,
    }
}

fn matters(profile: &Profile) -> [Matter<'_>; 7] {
    [
        matter(
            "lto",
            &profile.lto,
            is_on,
            " is set aside, since a patch needs the libraries' machine code; dependencies are built \
             once more",
            Some(
                "give hotswap a profile of its own without it: `[profile.live] inherits = \
                 \"release\"`, `lto = false`, and `cargo hotswap run --profile live`",
            ),
        ),
        matter(
            "strip",
            &profile.strip,
            is_on,
            " is set aside: a patch is linked against the symbols",
            None,
        ),
        matter(
            "panic",
            &profile.panic,
            |setting| setting.value.as_str() == Some("abort"),
            ": a panic in new code ends the program",
            Some("leave `panic` out while you develop; the default unwinds"),
        ),
        matter(
            "debug",
            &profile.debug,
            is_off,
            ": crates of the workspace get debug information all the same, by which types are \
             compared",
            None,
        ),
        matter(
            "split-debuginfo",
            &profile.split_debuginfo,
            is_on,
            " is set aside in crates of the workspace",
            None,
        ),
        matter(
            "codegen-units",
            &profile.codegen_units,
            |setting| setting.value.as_integer() == Some(1),
            ": each edit compiles its crate as a whole",
            Some("leave it out while you develop"),
        ),
        matter(
            "opt-level",
            &profile.opt_level,
            is_on,
            ": edits take longer than without",
            None,
        ),
    ]
}

/// What the profile asks for that is set aside or costs time.
pub fn profile(facts: &Facts) -> Vec<Finding> {
    let profile = &facts.profile;
    let found = matters(profile).into_iter().filter_map(|matter| {
        let setting = matter.setting.as_ref()?;
        (matter.applies)(setting).then(|| {
            let said = format!(
                "`{} = {}` in profile `{}` ({}){}",
                matter.name, setting.value, profile.name, setting.origin, matter.effect
            );
            match matter.help {
                Some(help) => warning(matter.name, said, help),
                None => ok(matter.name, said),
            }
        })
    });
    let found: Vec<Finding> = found.collect();
    if found.is_empty() {
        return vec![ok("profile", format!("`{}`", profile.name))];
    }
    found
}

/// Flags that patching can't live with.
pub fn rustflags(facts: &Facts) -> Vec<Finding> {
    let flags = Flags(&facts.rustflags);
    let mut found = Vec::new();
    let on = |value: &str| !matches!(value, "no" | "n" | "off" | "false");
    if flags.codegen("prefer-dynamic").any(on) {
        found.push(problem(
            "rustflags",
            "`-C prefer-dynamic`: code and state in shared Rust libraries can't be replaced",
            "take it out of rustflags while you use hotswap",
        ));
    }
    if flags.codegen("linker-plugin-lto").any(on) {
        found.push(problem(
            "rustflags",
            "`-C linker-plugin-lto`: libraries hold no machine code that a patch could be linked with",
            "take it out of rustflags while you use hotswap",
        ));
    }
    if flags.codegen("lto").any(on) {
        found.push(warning(
            "rustflags",
            "`-C lto` is set aside in crates of the workspace",
            "take it out of rustflags while you use hotswap",
        ));
    }
    let link_args = flags.codegen("link-arg").chain(flags.codegen("link-args"));
    if link_args
        .flat_map(str::split_whitespace)
        .any(|arg| arg == "-static")
    {
        found.push(problem(
            "rustflags",
            "`-static` for the linker: the program could not load code",
            "take it out of rustflags while you use hotswap",
        ));
    }
    if found.is_empty() && !facts.rustflags.is_empty() {
        found.push(ok("rustflags", facts.rustflags.join(" ")));
    }
    found
}

/// Flags of rustc's.
pub struct Flags<'a>(pub &'a [String]);

impl<'a> Flags<'a> {
    /// The values of `-C NAME=VALUE`, in its spellings; empty where there is no value.
    pub fn codegen(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let flags = self.0;
        let spelled = flags.iter().enumerate().filter_map(move |(at, flag)| {
            let before = at.checked_sub(1).map(|at| flags[at].as_str());
            match flag
                .strip_prefix("-C")
                .or_else(|| flag.strip_prefix("--codegen="))
            {
                Some(rest) if !rest.is_empty() => Some(rest.trim_start()),
                Some(_) => None,
                None => matches!(before, Some("-C" | "--codegen")).then_some(flag.as_str()),
            }
        });
        let name = name.to_owned();
        spelled.filter_map(move |option| {
            let (option, value) = option.split_once('=').unwrap_or((option, ""));
            (option.replace('_', "-") == name).then_some(value)
        })
    }
}
