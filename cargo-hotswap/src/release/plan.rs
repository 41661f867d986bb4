//! The plan of a release: what is done with a program that runs, on the way to the release and on the way back.
//!
//! It is generated, and a text that can be edited before it is signed. What an edit may say is decided here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::about::{About, Way};

#[cfg(test)]
mod tests;

/// The number of this form; another is refused.
const FORMAT: u32 = 1;

/// The most steps in one direction.
const MAX_STEPS: usize = 100;

/// The longest time that a step may be given.
const MAX_TIME: Duration = Duration::from_secs(3600);

/// How long handlers may still run before they are held back, unless the plan says otherwise.
const SUSPEND_TIME: Time = Time(Duration::from_secs(5));

/// Both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    format: u32,
    /// The versions of a program that it is for, as its [`Way`] has them.
    pub from: Vec<String>,
    /// From the release before to this one.
    pub up: Vec<Step>,
    /// Back.
    pub down: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Hold back the messages of servers.
    Suspend {
        /// Their names; none: all, at the same time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        servers: Vec<String>,
        /// How long each handler may still run.
        #[serde(default = "suspend_time")]
        timeout: Time,
    },
    /// Make the other code current: that of the patch on the way up, that from before on the way down.
    Load {
        /// The crates, in the order in which they depend on each other.
        crates: Vec<String>,
    },
    /// Give values their other layout: with the load before it, in one transaction.
    Migrate {
        /// The cells that hold them.
        cells: Vec<String>,
    },
    /// Run a command with `sh`, with HOTSWAP_PID and HOTSWAP_NAME; it has to succeed.
    Call {
        /// The command.
        command: String,
        /// The one that undoes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<String>,
        /// How long it may take.
        #[serde(default = "call_time")]
        timeout: Time,
    },
    /// Let servers go on.
    Resume {
        /// Their names; none: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        servers: Vec<String>,
    },
    /// Take code out of memory that was replaced.
    Purge {
        /// How far to go.
        manner: Purge,
    },
    /// What fails from here on undoes nothing.
    PointOfNoReturn {},
    /// Nothing but a restart leads there.
    Restart {
        /// Why.
        reasons: Vec<String>,
    },
}

/// How far a purge goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purge {
    /// What something refers to stays.
    Soft,
    /// The way back is given up, and named threads and tasks of old code are ended.
    Brutal,
}

/// A time, written as `5s` or `1m 30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(pub Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time =
            humantime::parse_duration(&text).map_err(|error| format!("`{text}`: {error}"))?;
        match time <= MAX_TIME {
            true => Ok(Self(time)),
            false => Err(format!("`{text}` is longer than an hour")),
        }
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        humantime::format_duration(time.0).to_string()
    }
}

fn suspend_time() -> Time {
    SUSPEND_TIME
}

fn call_time() -> Time {
    Time(Duration::from_secs(30))
}

/// One of the two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the release.
    Up,
    /// To the one before.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// Why a text is no plan of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No TOML of this form.
    #[error("the plan can't be read: {0}")]
    Text(String),
    /// Another number than [`FORMAT`].
    #[error(
        "the plan has form {0}, expected {FORMAT}: use the version of cargo-hotswap that made it"
    )]
    Format(u32),
    /// It is for other programs.
    #[error("the plan is for programs that have run {found:?}, expected {expected:?}")]
    From {
        /// What it says.
        found: Vec<String>,
        /// What the way is for.
        expected: Vec<String>,
    },
    /// Too many steps.
    #[error("the plan has more than {MAX_STEPS} steps {0}")]
    TooLong(Direction),
    /// A step beside a restart.
    #[error("`restart` must be the only step {0}: a program that is started again needs no other")]
    Beside(Direction),
    /// A restart was edited away.
    #[error("nothing but a restart leads {direction}: {}", reasons.join("; "))]
    NoPatch {
        /// Where to.
        direction: Direction,
        /// Why.
        reasons: Vec<String>,
    },
    /// Not one load.
    #[error(
        "there must be one `load` {direction}, of {crates:?} in this order, which follows from what they depend on"
    )]
    Load {
        /// Where to.
        direction: Direction,
        /// What must be loaded.
        crates: Vec<String>,
    },
    /// Values that change are not named after the load, or others are.
    #[error(
        "`load` {direction} must be followed by `migrate` of {cells:?}, and there is no other: both are one transaction"
    )]
    Migrate {
        /// Where to.
        direction: Direction,
        /// What changes.
        cells: Vec<String>,
    },
    /// Servers would stay suspended.
    #[error("each `suspend` {0} must be followed by one `resume` of the same servers")]
    Suspended(Direction),
    /// A purge in the wrong place.
    #[error(
        "`purge` {0} must come after `load`, and a brutal one after `point-of-no-return`: it gives up the way back"
    )]
    Purge(Direction),
    /// Twice, or in front of what it is about.
    #[error("`point-of-no-return` {0} may stand once, and after `load`")]
    Return(Direction),
}

impl Plan {
    /// The plan for a way, as it follows from both builds.
    pub fn generate(way: &Way) -> Self {
        let restart = |reasons: &[String]| {
            let reasons = reasons.to_vec();
            vec![Step::Restart { reasons }]
        };
        let live = |direction| steps(way, direction);
        let (up, down) = match (way.restart.as_slice(), way.no_way_back.as_slice()) {
            ([], []) => (live(Direction::Up), live(Direction::Down)),
            ([], reasons) => (live(Direction::Up), restart(reasons)),
            (reasons, _) => (restart(reasons), restart(reasons)),
        };
        Self {
            format: FORMAT,
            from: way.from.clone(),
            up,
            down,
        }
    }

    /// Reads a plan, and checks that it is one for this way.
    ///
    /// # Errors
    ///
    /// The first thing that is not as it should be.
    pub fn read(text: &str, way: &Way) -> Result<Self, PlanError> {
        let plan = Self::parse(text)?;
        if plan.from != way.from {
            let (found, expected) = (plan.from, way.from.clone());
            return Err(PlanError::From { found, expected });
        }
        check(&plan.up, way, Direction::Up)?;
        check(&plan.down, way, Direction::Down)?;
        Ok(plan)
    }

    /// Reads a plan, whatever way it is for.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self =
            toml::from_str(text).map_err(|error| PlanError::Text(error.to_string()))?;
        match plan.format {
            FORMAT => Ok(plan),
            other => Err(PlanError::Format(other)),
        }
    }

    /// The plan as a text for people.
    ///
    /// # Errors
    ///
    /// It can't be written as TOML.
    pub fn text(&self, about: &About, way: &Way) -> Result<String, toml::ser::Error> {
        let (name, from, to) = (&about.name, way.before(), &about.version);
        let whose = match way.from.as_slice() {
            [_] => String::new(),
            _ => format!("# It is for {}.\n", way.shown()),
        };
        let steps = toml::to_string_pretty(self)?;
        Ok(format!(
            "# What is done with a {name} that runs, on the way from {from} to {to} (up) and back (down).\n\
             {whose}\
             # The steps of one way are done one after the other; when one fails, those before it are undone.\n\
             # An edited plan is signed by `cargo hotswap release make --plan`. The operator's guide has all steps.\n\
             {steps}"
        ))
    }

    /// Whether a program goes to the release while it runs.
    pub fn is_live(&self) -> bool {
        !matches!(self.up.as_slice(), [Step::Restart { .. }])
    }

    /// The steps of one way.
    pub fn steps(&self, direction: Direction) -> &[Step] {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

/// The crates of a load: those that others depend on come first on the way up, and last on the way down.
fn crates(way: &Way, direction: Direction) -> Vec<String> {
    let mut crates = way.crates.clone();
    if direction == Direction::Down {
        crates.reverse();
    }
    crates
}

fn steps(way: &Way, direction: Direction) -> Vec<Step> {
    let crates = crates(way, direction);
    let mut steps = vec![Step::Load { crates }];
    let no_return = direction == Direction::Up && !way.no_way_back.is_empty();
    let point = no_return.then_some(Step::PointOfNoReturn {});
    if way.cells.is_empty() {
        steps.extend(point);
    } else {
        let (cells, servers, timeout) = (way.cells.clone(), Vec::new(), SUSPEND_TIME);
        steps.insert(0, Step::Suspend { servers, timeout });
        steps.push(Step::Migrate { cells });
        steps.extend(point);
        steps.push(Step::Resume {
            servers: Vec::new(),
        });
    }
    steps.push(Step::Purge {
        manner: Purge::Soft,
    });
    steps
}

fn check(steps: &[Step], way: &Way, direction: Direction) -> Result<(), PlanError> {
    if steps.len() > MAX_STEPS {
        return Err(PlanError::TooLong(direction));
    }
    if steps
        .iter()
        .any(|step| matches!(step, Step::Restart { .. }))
    {
        return match steps {
            [_] => Ok(()),
            _ => Err(PlanError::Beside(direction)),
        };
    }
    let none = match direction {
        Direction::Up => way.restart.clone(),
        Direction::Down => [&way.restart[..], &way.no_way_back].concat(),
    };
    if !none.is_empty() {
        let reasons = none;
        return Err(PlanError::NoPatch { direction, reasons });
    }
    let load = check_load(steps, way, direction)?;
    check_suspended(steps, direction)?;
    check_return(steps, load, direction)
}

/// Where the one load is.
fn check_load(steps: &[Step], way: &Way, direction: Direction) -> Result<usize, PlanError> {
    let crates = crates(way, direction);
    let is_load = |step: &Step| matches!(step, Step::Load { .. });
    let mut loads = (0..steps.len()).filter(|at| is_load(&steps[*at]));
    let load = match (loads.next(), loads.next()) {
        (Some(at), None)
            if steps[at]
                == Step::Load {
                    crates: crates.clone(),
                } =>
        {
            at
        }
        _ => return Err(PlanError::Load { direction, crates }),
    };
    let cells = way.cells.clone();
    let is_migrate = |step: &&Step| matches!(step, Step::Migrate { .. });
    let migrates = steps.iter().filter(is_migrate).count();
    let good = match cells.is_empty() {
        true => migrates == 0,
        false => {
            migrates == 1
                && steps.get(load + 1)
                    == Some(&Step::Migrate {
                        cells: cells.clone(),
                    })
        }
    };
    match good {
        true => Ok(load),
        false => Err(PlanError::Migrate { direction, cells }),
    }
}

/// Who is held back goes on in the end, and nobody is held back twice.
fn check_suspended(steps: &[Step], direction: Direction) -> Result<(), PlanError> {
    let mut suspended: Vec<&Vec<String>> = Vec::new();
    for step in steps {
        match step {
            Step::Suspend { servers, .. } if !suspended.contains(&servers) => {
                suspended.push(servers)
            }
            Step::Resume { servers } if suspended.contains(&servers) => {
                suspended.retain(|one| *one != servers);
            }
            Step::Suspend { .. } | Step::Resume { .. } => {
                return Err(PlanError::Suspended(direction));
            }
            _ => {}
        }
    }
    match suspended.is_empty() {
        true => Ok(()),
        false => Err(PlanError::Suspended(direction)),
    }
}

fn check_return(steps: &[Step], load: usize, direction: Direction) -> Result<(), PlanError> {
    let is_return = |step: &Step| *step == Step::PointOfNoReturn {};
    let mut returns = (0..steps.len()).filter(|at| is_return(&steps[*at]));
    let point = returns.next();
    // What a load and its migration are is one transaction.
    let first = load + usize::from(matches!(steps.get(load + 1), Some(Step::Migrate { .. })));
    if returns.next().is_some() || point.is_some_and(|at| at <= first) {
        return Err(PlanError::Return(direction));
    }
    for (at, step) in steps.iter().enumerate() {
        let good = match step {
            Step::Purge {
                manner: Purge::Soft,
            } => at > first,
            Step::Purge {
                manner: Purge::Brutal,
            } => point.is_some_and(|point| at > point),
            _ => true,
        };
        if !good {
            return Err(PlanError::Purge(direction));
        }
    }
    Ok(())
}
