//! Does the steps of a plan with one program, and undoes them when one fails.

use std::time::Duration;

use anyhow::{Error, Result};
use hotswap_protocol::purge::Manner;

use super::plan::{Direction, Purge, Step};

/// What is done with a program at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    /// Hold back the messages of a server, or of all.
    Suspend(Option<&'a str>, Duration),
    /// Let them go on.
    Resume(Option<&'a str>),
    /// Make the release's code current. With a time, the program goes back by itself when it is over.
    Forward(Option<Duration>),
    /// Have the release's code, which is current, stay.
    Stay,
    /// Make the code from before current.
    Back,
    /// Take old code out of memory.
    Purge(Manner),
    /// Run a command.
    Call(&'a str, Duration),
}

/// Who does it.
pub trait Program {
    /// Does it, or nothing.
    ///
    /// # Errors
    ///
    /// Why not.
    fn perform(&mut self, act: Act<'_>) -> Result<()>;
}

/// Why a way was not gone to its end.
#[derive(Debug)]
pub struct Failure {
    /// What failed.
    pub error: Error,
    /// The release's code stays, since the point of no return is behind.
    pub stays: bool,
    /// What could not be undone.
    pub not_undone: Vec<Error>,
}

/// For what the times of a plan don't tell of: how long the program waits for the tool.
const GRACE: Duration = Duration::from_secs(60);

/// Does these steps.
///
/// On the way up the program goes back by itself if this does not come to its end: whoever ends the tool leaves a
/// program that is as it was. Where it can't go back, as `returns` tells, the load itself is the point of no return.
///
/// # Errors
///
/// A step failed, and those before it are undone.
pub fn run(
    steps: &[Step],
    direction: Direction,
    returns: bool,
    program: &mut impl Program,
) -> Result<(), Failure> {
    let up = direction == Direction::Up;
    let time = returns.then(|| steps.iter().map(time).sum::<Duration>() + GRACE);
    let mut undo = Vec::new();
    let mut stays = false;
    for step in steps {
        for (act, reverse) in acts(step, up, time) {
            if let Err(error) = program.perform(act) {
                return Err(take_back(error, stays, undo, program));
            }
            undo.extend(reverse);
        }
        let is_one_way = up && !returns && matches!(step, Step::Load { .. });
        if is_one_way || *step == (Step::PointOfNoReturn {}) {
            // Who is held back has to go on in any case.
            undo.retain(|act| matches!(act, Act::Resume(_)));
            stays = true;
        }
    }
    match up && !stays {
        true => program
            .perform(Act::Stay)
            .map_err(|error| take_back(error, false, undo, program)),
        false => Ok(()),
    }
}

fn take_back(error: Error, stays: bool, undo: Vec<Act<'_>>, program: &mut impl Program) -> Failure {
    let undone = undo.into_iter().rev().map(|act| program.perform(act));
    let not_undone = undone.filter_map(Result::err).collect();
    Failure {
        error,
        stays,
        not_undone,
    }
}

/// What a step is made of, each with what undoes it. `time` is how long a program waits for all steps; none: it does
/// not go back.
fn acts(step: &Step, up: bool, time: Option<Duration>) -> Vec<(Act<'_>, Option<Act<'_>>)> {
    match step {
        Step::Suspend { servers, timeout } => {
            let suspend = |name| (Act::Suspend(name, timeout.0), Some(Act::Resume(name)));
            names(servers).into_iter().map(suspend).collect()
        }
        Step::Resume { servers } => {
            let resume = |name| (Act::Resume(name), None);
            names(servers).into_iter().map(resume).collect()
        }
        Step::Load { .. } if up => vec![(Act::Forward(time), time.map(|_| Act::Back))],
        Step::Load { .. } => vec![(Act::Back, Some(Act::Forward(None)))],
        Step::Call {
            command,
            undo,
            timeout,
        } => {
            let undo = undo.as_deref().map(|undo| Act::Call(undo, timeout.0));
            vec![(Act::Call(command, timeout.0), undo)]
        }
        Step::Purge { manner } => {
            let manner = match manner {
                Purge::Soft => Manner::Soft,
                Purge::Brutal => Manner::Full,
            };
            vec![(Act::Purge(manner), None)]
        }
        Step::PointOfNoReturn {} if up && time.is_some() => vec![(Act::Stay, None)],
        // A migration is part of its load, and after a restart there is nothing to be done.
        Step::PointOfNoReturn {} | Step::Migrate { .. } | Step::Restart { .. } => Vec::new(),
    }
}

/// How long a step, and what undoes it, may take.
fn time(step: &Step) -> Duration {
    match step {
        Step::Suspend { servers, timeout } => timeout.0 * names(servers).len() as u32,
        Step::Call { timeout, .. } => timeout.0 * 2,
        _ => Duration::ZERO,
    }
}

/// Each of them, or all at once.
fn names(servers: &[String]) -> Vec<Option<&str>> {
    match servers {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;
    use crate::release::plan::Time;

    /// Writes down what it is told, and fails at some of it.
    struct Notes {
        done: Vec<String>,
        fails: &'static [&'static str],
    }

    impl Program for Notes {
        fn perform(&mut self, act: Act<'_>) -> Result<()> {
            let word = match act {
                Act::Suspend(name, _) => format!("suspend {}", name.unwrap_or("*")),
                Act::Resume(name) => format!("resume {}", name.unwrap_or("*")),
                Act::Forward(Some(time)) => format!("load {}", time.as_secs()),
                Act::Forward(None) => "load".to_owned(),
                Act::Stay => "stay".to_owned(),
                Act::Back => "back".to_owned(),
                Act::Purge(manner) => format!("purge {manner:?}"),
                Act::Call(command, _) => command.to_owned(),
            };
            if self.fails.contains(&word.as_str()) {
                bail!("{word} failed");
            }
            self.done.push(word);
            Ok(())
        }
    }

    /// suspend all, load, migrate, resume, a call that can be undone, the point of no return, purge.
    fn steps() -> Vec<Step> {
        vec![
            Step::Suspend {
                servers: vec!["a".into(), "b".into()],
                timeout: Time(Duration::from_secs(5)),
            },
            Step::Load { crates: Vec::new() },
            Step::Migrate { cells: Vec::new() },
            Step::Resume {
                servers: vec!["a".into(), "b".into()],
            },
            Step::Call {
                command: "call".into(),
                undo: Some("uncall".into()),
                timeout: Time(Duration::from_secs(30)),
            },
            Step::PointOfNoReturn {},
            Step::Purge {
                manner: Purge::Brutal,
            },
        ]
    }

    fn check(steps: &[Step], direction: Direction, fails: &'static [&'static str], expected: &str) {
        check_way(steps, (direction, true), fails, expected);
    }

    fn check_way(
        steps: &[Step],
        (direction, returns): (Direction, bool),
        fails: &'static [&'static str],
        expected: &str,
    ) {
        let mut notes = Notes {
            done: Vec::new(),
            fails,
        };
        let mut told = match run(steps, direction, returns, &mut notes) {
            Ok(()) => String::new(),
            Err(failure) => {
                let stays = if failure.stays { ", stays" } else { "" };
                let not_undone = failure.not_undone.iter().map(|error| format!(", {error}"));
                format!(
                    ": {}{stays}{}",
                    failure.error,
                    not_undone.collect::<String>()
                )
            }
        };
        told.insert_str(0, &notes.done.join(", "));
        assert_eq!(told, expected, "{direction} {fails:?}");
    }

    #[test]
    fn what_fails_is_undone_up_to_the_point_of_no_return() {
        let (up, steps) = (Direction::Up, steps());
        let begin = "suspend a, suspend b, load 130, resume a, resume b, call, stay";
        let undo = "back, resume b, resume a";
        for (fails, expected) in [
            (&[][..], format!("{begin}, purge Full")),
            (&["suspend a"], ": suspend a failed".to_owned()),
            (&["suspend b"], "suspend a, resume a: suspend b failed".to_owned()),
            (&["load 130"], "suspend a, suspend b, resume b, resume a: load 130 failed".to_owned()),
            (&["call"], format!("suspend a, suspend b, load 130, resume a, resume b, {undo}: call failed")),
            (
                &["call", "back"],
                "suspend a, suspend b, load 130, resume a, resume b, resume b, resume a: call failed, back failed"
                    .to_owned(),
            ),
            (&["stay"], format!("suspend a, suspend b, load 130, resume a, resume b, call, uncall, {undo}: stay failed")),
            (&["purge Full"], format!("{begin}, resume b, resume a: purge Full failed, stays")),
        ] {
            check(&steps, up, fails, &expected);
        }
    }

    #[test]
    fn where_nothing_leads_back_the_load_is_the_point_of_no_return() {
        let one_way = (Direction::Up, false);
        let begin = "suspend a, suspend b, load, resume a, resume b";
        for (fails, expected) in [
            (&[][..], format!("{begin}, call, purge Full")),
            (
                &["load"],
                "suspend a, suspend b, resume b, resume a: load failed".to_owned(),
            ),
            (
                &["call"],
                format!("{begin}, resume b, resume a: call failed, stays"),
            ),
        ] {
            check_way(&steps(), one_way, fails, &expected);
        }
        check_way(&steps()[..3], one_way, &[], "suspend a, suspend b, load");
    }

    #[test]
    fn on_the_way_down_the_program_does_not_wait_for_the_tool() {
        let (down, steps) = (Direction::Down, steps());
        let begin = "suspend a, suspend b, back, resume a, resume b";
        check(&steps, down, &[], &format!("{begin}, call, purge Full"));
        check(
            &steps,
            down,
            &["call"],
            &format!("{begin}, load, resume b, resume a: call failed"),
        );
        check(
            &steps[..3],
            Direction::Up,
            &[],
            "suspend a, suspend b, load 70, stay",
        );
    }
}
