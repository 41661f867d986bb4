//! The directives of a scenario: `scenario.txt`, one directive a line.
//!
//! | header | meaning |
//! |---|---|
//! | `profiles dev release` | the profiles to run in; `dev` alone when missing |
//! | `folder NAME` | the work copy's folder, for names with spaces |
//! | `target shared\|own\|symlink` | one target folder for all scenarios, the package's own, or its own behind a link |
//! | `env NAME=VALUE` | for the tool and the program |
//! | `hot-only` | says nothing under plain cargo, which is not tried |
//! | `no-runner REASON` | why it is not tried under a runner, as valgrind is one |
//!
//! | directive | meaning |
//! |---|---|
//! | `run [FLAGS] [-- ARGS]` | `cargo hotswap run`, until the program is ready |
//! | `start [FLAGS] [-- ARGS]` | the same, without waiting |
//! | `send TEXT` | a line to the program's stdin |
//! | `expect TEXT` | the program's next line on stdout, exactly |
//! | `expect-stderr TEXT` | a later line on stderr that contains the text |
//! | `save vN` | writes what `vN` has; `save-by-rename`, `touch` (even if equal) |
//! | `edit FILE "FROM" "TO"` | replaces the one occurrence of a text and saves |
//! | `delete FILE`, `rename FILE FILE` | in the work copy |
//! | `await EVENT [WORD …]` | the next outcome is this event (`A\|B`: one of these) and contains each word |
//! | `check FIELD has\|lacks WORD …` | of the last awaited event: an element of the field has all words, or none has |
//! | `await-restart` | the tool starts the program anew by itself |
//! | `restart` | ends the program and the tool, and runs both again |
//! | `revert` | `cargo hotswap revert` for the program; how it ends is awaited like the end of a save |
//! | `restart-program [FLAGS]` | `cargo hotswap restart` for the program; what comes of it is awaited |
//! | `quit` | closes stdin; tool and program end with 0 |
//! | `exits CODE` | the tool ends by itself with this code |
//! | `cargo ARGS` | runs plain cargo beside the tool |
//! | `clean` | removes from the target folder what was built of the package |
//!
//! `$PACKAGE` stands for the work copy in flags, arguments and variables. A scenario that does
//! not say how it ends ends with `quit`; a restart or exit that it does not ask for fails it.

use anyhow::{Context, Result, bail, ensure};

use crate::package::{Manner, TargetFolder};

/// A cargo profile that scenarios are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The default.
    Dev,
    /// With `--release`.
    Release,
}

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above describes each")]
pub enum Step {
    Run(Vec<String>),
    Start(Vec<String>),
    Send(String),
    Expect(String),
    ExpectStderr(String),
    Save {
        version: String,
        manner: Manner,
    },
    Edit {
        file: String,
        from: String,
        to: String,
    },
    Delete(String),
    Rename(String, String),
    Await {
        event: String,
        words: Vec<String>,
    },
    Check {
        field: String,
        has: bool,
        words: Vec<String>,
    },
    AwaitRestart,
    Restart,
    Revert,
    RestartProgram(Vec<String>),
    Quit,
    Exits(i32),
    Cargo(Vec<String>),
    Clean,
}

/// A parsed `scenario.txt`.
#[derive(Debug, Default)]
pub struct Script {
    /// The profiles to run in.
    pub profiles: Vec<Profile>,
    /// The name of the work copy's folder, if it matters.
    pub folder: Option<String>,
    /// Where the package is built.
    pub target: TargetFolder,
    /// Variables of the tool.
    pub env: Vec<(String, String)>,
    /// Whether plain cargo has nothing to show.
    pub hot_only: bool,
    /// Why it can't be run under a runner, if it can't.
    pub no_runner: Option<String>,
    /// What to do, with line numbers.
    pub steps: Vec<(usize, Step)>,
}

impl Script {
    /// Reads directives.
    ///
    /// # Errors
    ///
    /// Names the first line that is no directive.
    pub fn parse(text: &str) -> Result<Self> {
        let mut script = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let number = index + 1;
                let read = script.read(number, line);
                read.with_context(|| format!("line {number}: {line}"))?;
            }
        }
        if script.profiles.is_empty() {
            script.profiles.push(Profile::Dev);
        }
        Ok(script)
    }

    fn read(&mut self, number: usize, line: &str) -> Result<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb {
            "profiles" => self.profiles = rest.split(' ').map(profile).collect::<Result<_>>()?,
            "folder" => self.folder = Some(rest.to_owned()),
            "target" => self.target = target(rest)?,
            "hot-only" => self.hot_only = true,
            "no-runner" => self.no_runner = Some(rest.to_owned()),
            "env" => {
                let (name, value) = rest.split_once('=').context("expected NAME=VALUE")?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            _ => self.steps.push((number, step(verb, rest)?)),
        }
        Ok(())
    }
}

fn profile(word: &str) -> Result<Profile> {
    match word {
        "dev" => Ok(Profile::Dev),
        "release" => Ok(Profile::Release),
        _ => bail!("unknown profile {word}"),
    }
}

fn target(word: &str) -> Result<TargetFolder> {
    match word {
        "shared" => Ok(TargetFolder::Shared),
        "own" => Ok(TargetFolder::Own),
        "symlink" => Ok(TargetFolder::Symlink),
        _ => bail!("unknown target folder {word}"),
    }
}

fn step(verb: &str, rest: &str) -> Result<Step> {
    let text = || rest.to_owned();
    let save = |manner| Step::Save {
        version: text(),
        manner,
    };
    Ok(match verb {
        "run" => Step::Run(words(rest)?),
        "start" => Step::Start(words(rest)?),
        "send" => Step::Send(text()),
        "expect" => Step::Expect(text()),
        "expect-stderr" => Step::ExpectStderr(text()),
        "save" => save(Manner::InPlace),
        "save-by-rename" => save(Manner::ByRename),
        "touch" => save(Manner::Touch),
        "edit" => edit(&words(rest)?)?,
        "delete" => Step::Delete(text()),
        "rename" => rename(&words(rest)?)?,
        "await" => await_event(words(rest)?)?,
        "check" => check(words(rest)?)?,
        "await-restart" => Step::AwaitRestart,
        "restart" => Step::Restart,
        "revert" => Step::Revert,
        "restart-program" => Step::RestartProgram(words(rest)?),
        "quit" => Step::Quit,
        "exits" => Step::Exits(rest.parse()?),
        "cargo" => Step::Cargo(words(rest)?),
        "clean" => Step::Clean,
        _ => bail!("unknown directive"),
    })
}

fn edit(words: &[String]) -> Result<Step> {
    let [file, from, to] = words else {
        bail!("expected a file and two texts")
    };
    Ok(Step::Edit {
        file: file.clone(),
        from: from.clone(),
        to: to.clone(),
    })
}

fn rename(words: &[String]) -> Result<Step> {
    let [from, to] = words else {
        bail!("expected two files")
    };
    Ok(Step::Rename(from.clone(), to.clone()))
}

fn await_event(mut words: Vec<String>) -> Result<Step> {
    ensure!(!words.is_empty(), "expected an event");
    let event = words.remove(0);
    Ok(Step::Await { event, words })
}

fn check(words: Vec<String>) -> Result<Step> {
    let [field, verb, rest @ ..] = words.as_slice() else {
        bail!("expected a field and words")
    };
    let has = match verb.as_str() {
        "has" => true,
        "lacks" => false,
        _ => bail!("expected has or lacks"),
    };
    ensure!(!rest.is_empty(), "expected words");
    Ok(Step::Check {
        field: field.clone(),
        has,
        words: rest.to_vec(),
    })
}

/// Splits at spaces outside quotes, which are double or single.
fn words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(mark), _) if mark == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    ensure!(quote.is_none(), "a quote is not closed");
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::{Manner, Profile, Script, Step, words};

    fn steps(text: &str) -> Vec<Step> {
        let script = Script::parse(text).expect("parses");
        script.steps.into_iter().map(|(_, step)| step).collect()
    }

    fn refused(text: &str, reason: &str) {
        let error = format!("{:#}", Script::parse(text).expect_err("is refused"));
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn words_end_at_spaces_outside_quotes() {
        let split = words(r#"a "b c"  d "" e"f g" 'h "i"'"#).expect("splits");
        assert_eq!(split, ["a", "b c", "d", "", "ef g", "h \"i\""]);
        assert!(words("a \"b").is_err());
    }

    #[test]
    fn headers_and_steps_are_told_apart() {
        let script = Script::parse("# why\nprofiles dev release\nenv A=b=c\n\nrun -- x\n");
        let script = script.expect("parses");
        assert_eq!(script.profiles, [Profile::Dev, Profile::Release]);
        assert_eq!(script.env, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(
            script.steps,
            [(5, Step::Run(vec!["--".into(), "x".into()]))]
        );
    }

    #[test]
    fn one_profile_is_the_default() {
        assert_eq!(
            Script::parse("run").expect("parses").profiles,
            [Profile::Dev]
        );
    }

    #[test]
    fn text_is_taken_as_it_stands() {
        assert_eq!(
            steps("send a  \"b\"\nexpect\ntouch v2"),
            [
                Step::Send("a  \"b\"".into()),
                Step::Expect(String::new()),
                Step::Save {
                    version: "v2".into(),
                    manner: Manner::Touch
                },
            ]
        );
    }

    #[test]
    fn checks_say_has_or_lacks() {
        let expected = Step::Check {
            field: "statics".into(),
            has: false,
            words: vec!["COUNT".into(), "was kept".into()],
        };
        assert_eq!(steps("check statics lacks COUNT \"was kept\""), [expected]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        refused("run\nsleep 1", "line 2: sleep 1: unknown directive");
        refused("profiles fast", "unknown profile fast");
        refused("check statics is x", "expected has or lacks");
        refused("rename a", "expected two files");
        refused("await", "expected an event");
    }
}
