//! A view of one rustc command line.

/// The arguments of one rustc call, without the compiler's own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustcArgs(pub Vec<String>);

impl RustcArgs {
    /// The value of a long option such as `--crate-name`; the first one where it stands twice.
    pub fn option<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.options(name).next()
    }

    /// All values of a long option, in both its forms (`--x y` and `--x=y`).
    pub fn options<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().enumerate().filter_map(move |(at, arg)| {
            if arg == name {
                return self.0.get(at + 1).map(String::as_str);
            }
            arg.strip_prefix(name)?.strip_prefix('=')
        })
    }

    /// The last value of a codegen option such as `opt-level`, as rustc takes it. An option
    /// without a value (`-C link-dead-code`) is the empty string.
    pub fn codegen(&self, name: &str) -> Option<&str> {
        self.codegen_options()
            .filter(|(key, _)| *key == name)
            .last()
            .map(|(_, value)| value)
    }

    /// All codegen options as name and value, in order.
    pub fn codegen_options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().enumerate().filter_map(|(at, arg)| {
            let option = if arg == "-C" || arg == "--codegen" {
                self.0.get(at + 1)?.as_str()
            } else if let Some(option) = arg.strip_prefix("--codegen=") {
                option
            } else {
                arg.strip_prefix("-C").filter(|option| !option.is_empty())?
            };
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            Some((key, value))
        })
    }

    /// Removes every occurrence of a codegen option and returns the last value.
    pub fn take_codegen(&mut self, name: &str) -> Option<String> {
        let mut taken = None;
        let mut kept = Vec::with_capacity(self.0.len());
        let mut args = std::mem::take(&mut self.0).into_iter().peekable();
        while let Some(arg) = args.next() {
            let joined = arg
                .strip_prefix("--codegen=")
                .or_else(|| arg.strip_prefix("-C"));
            let option = match (arg.as_str(), joined) {
                ("-C" | "--codegen", _) => args.peek().cloned(),
                (_, Some(option)) if !option.is_empty() => Some(option.to_owned()),
                _ => None,
            };
            let Some(option) = option else {
                kept.push(arg);
                continue;
            };
            let separate = arg == "-C" || arg == "--codegen";
            let (key, value) = option.split_once('=').unwrap_or((option.as_str(), ""));
            if key == name {
                taken = Some(value.to_owned());
                if separate {
                    args.next();
                }
                continue;
            }
            kept.push(arg);
            if separate && let Some(value) = args.next() {
                kept.push(value);
            }
        }
        self.0 = kept;
        taken
    }

    /// Adds a codegen option at the end, where it overrides earlier ones.
    pub fn push_codegen(&mut self, option: &str) {
        self.0.push("-C".to_owned());
        self.0.push(option.to_owned());
    }

    /// Replaces the value of a long option that stands once.
    pub fn set_option(&mut self, name: &str, value: &str) {
        for at in 0..self.0.len() {
            if self.0[at] == name {
                if let Some(old) = self.0.get_mut(at + 1) {
                    *old = value.to_owned();
                }
                return;
            }
            if self.0[at]
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('='))
            {
                self.0[at] = format!("{name}={value}");
                return;
            }
        }
    }

    /// The crate's name as rustc knows it (with underscores).
    pub fn crate_name(&self) -> Option<&str> {
        self.option("--crate-name")
    }

    /// The crate types that are asked for.
    pub fn crate_types(&self) -> Vec<&str> {
        self.options("--crate-type")
            .flat_map(|types| types.split(','))
            .collect()
    }

    /// Whether code is generated and linked or archived, as opposed to `cargo check`.
    pub fn emits_link(&self) -> bool {
        self.options("--emit")
            .flat_map(|kinds| kinds.split(','))
            .any(|kind| kind == "link")
    }

    /// Whether the crate is compiled as a test harness.
    pub fn is_test(&self) -> bool {
        self.0.iter().any(|arg| arg == "--test")
    }

    /// Whether optimisation is on: LLVM then treats statics as it likes unless told not to.
    pub fn is_optimised(&self) -> bool {
        self.codegen("opt-level").is_some_and(|level| level != "0")
            || self.0.iter().any(|arg| arg == "-O")
    }

    /// Whether somebody asks for debug information, if only for lines.
    pub fn has_debug_info(&self) -> bool {
        let level = self.codegen("debuginfo");
        level.is_some_and(|level| !matches!(level, "0" | "none"))
            || self.0.iter().any(|arg| arg == "-g")
    }

    /// Whether the crate is optimised, and nobody asks for several units of it.
    pub fn may_be_one_unit(&self) -> bool {
        self.is_optimised()
            && self.codegen("incremental").is_none()
            && matches!(self.codegen("codegen-units"), None | Some("1"))
    }

    /// Dependencies given by `--extern` as crate name and path.
    pub fn externs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options("--extern").filter_map(|value| {
            let (name, path) = value.split_once('=')?;
            // Options such as `priv,noprelude:` stand before the name.
            Some((name.rsplit(':').next().unwrap_or(name), path))
        })
    }

    /// The stem that rustc gives the artefacts: crate name and cargo's suffix.
    pub fn file_stem(&self) -> Option<String> {
        let name = self.crate_name()?;
        Some(format!(
            "{name}{}",
            self.codegen("extra-filename").unwrap_or("")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::RustcArgs;

    fn args(line: &str) -> RustcArgs {
        RustcArgs(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn reads_every_spelling_of_an_option() {
        for (line, option, expected) in [
            ("--crate-name app src/main.rs", "--crate-name", Some("app")),
            ("--crate-name=app src/main.rs", "--crate-name", Some("app")),
            ("--crate-names app", "--crate-name", None),
        ] {
            assert_eq!(args(line).option(option), expected, "{line}");
        }
        for (line, expected) in [
            ("-C opt-level=3", Some("3")),
            ("-Copt-level=3", Some("3")),
            ("--codegen opt-level=3", Some("3")),
            ("--codegen=opt-level=3", Some("3")),
            ("-C opt-level=1 -C opt-level=3", Some("3")),
            ("-C debuginfo=2", None),
        ] {
            assert_eq!(args(line).codegen("opt-level"), expected, "{line}");
        }
    }

    #[test]
    fn takes_all_occurrences_of_a_codegen_option() {
        for (line, rest, taken) in [
            (
                "a -C linker=ld -C debuginfo=2 b",
                "a -C debuginfo=2 b",
                Some("ld"),
            ),
            ("-Clinker=ld --codegen linker=cc x", "x", Some("cc")),
            ("--codegen=linker=cc x", "x", Some("cc")),
            ("--cfg linker", "--cfg linker", None),
            (
                "-C link-arg=-fuse-ld=mold",
                "-C link-arg=-fuse-ld=mold",
                None,
            ),
        ] {
            let mut line = args(line);
            assert_eq!(line.take_codegen("linker").as_deref(), taken);
            assert_eq!(line, args(rest));
        }
    }

    #[test]
    fn knows_what_is_compiled() {
        let line = args(
            "--crate-name my_app --edition=2021 src/main.rs --crate-type bin --emit=dep-info,link \
             -C extra-filename=-0a1b --extern dep=/t/libdep.rlib --extern priv:other=/t/o.rmeta",
        );
        assert_eq!(line.file_stem().as_deref(), Some("my_app-0a1b"));
        assert_eq!(line.crate_types(), ["bin"]);
        assert!(line.emits_link() && !line.is_test() && !line.is_optimised());
        let externs: Vec<_> = line.externs().collect();
        assert_eq!(
            externs,
            [("dep", "/t/libdep.rlib"), ("other", "/t/o.rmeta")]
        );
    }
}
