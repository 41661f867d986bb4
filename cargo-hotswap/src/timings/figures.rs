//! Medians and the like, over the edits of a run.

use schemars::JsonSchema;
use serde::Serialize;

use crate::status::{Phase, Swap, SwapOutcome};

/// What the times of a run come to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// Edits that went live, the first of each start of the program apart.
    pub later: Series,
    /// The first edit of each start: it also reads what later ones find read.
    pub first: Series,
    /// The phase that takes most of the time of later edits; of first ones while there are no
    /// others.
    pub slowest: Option<Slowest>,
    /// How many reverts went live.
    pub reverts: usize,
    /// How many edits changed no code.
    pub unchanged: usize,
    /// How many edits were refused.
    pub refused: usize,
    /// How many edits did not compile.
    pub compile_errors: usize,
    /// How many edits failed in another way.
    pub failed: usize,
    /// How often the program was started again.
    pub restarts: usize,
}

/// Edits that are alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Series {
    /// How many.
    pub count: usize,
    /// Each phase, in order.
    pub phases: Vec<PhaseFigures>,
    /// From the save to the new code.
    pub total: Spread,
}

/// One phase of edits that are alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct PhaseFigures {
    /// Its name.
    pub name: String,
    /// Its times.
    pub ms: Spread,
}

/// A distribution of times, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The one that 95 of 100 are not above.
    pub p95: f64,
}

/// The phase that takes longest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Slowest {
    /// Its name.
    pub name: String,
    /// Its part of the whole time, from 0 to 1.
    pub part: f64,
}

impl Figures {
    /// Those of a run with so many starts.
    pub fn of(swaps: &[Swap], starts: usize) -> Self {
        let count = |outcome| swaps.iter().filter(|swap| swap.outcome == outcome).count();
        let live = |swap: &&Swap| swap.outcome == SwapOutcome::Swapped;
        let edits = swaps
            .iter()
            .filter(live)
            .filter(|swap| swap.reverts_to.is_none());
        let (first, later): (Vec<&Swap>, Vec<&Swap>) = edits.partition(|swap| swap.first);
        let reverts = swaps.iter().filter(live).count() - first.len() - later.len();
        let slowest = slowest(if later.is_empty() { &first } else { &later });
        Self {
            later: Series::of(&later),
            first: Series::of(&first),
            slowest,
            reverts,
            unchanged: count(SwapOutcome::Unchanged),
            refused: count(SwapOutcome::Refused),
            compile_errors: count(SwapOutcome::CompileError),
            failed: count(SwapOutcome::Failed),
            restarts: starts.saturating_sub(1),
        }
    }
}

impl Series {
    fn of(swaps: &[&Swap]) -> Self {
        let names = swaps.first().map_or(&[][..], |swap| &swap.phases);
        let phases = names.iter().map(|Phase { name, .. }| PhaseFigures {
            name: name.clone(),
            ms: Spread::of(swaps.iter().map(|swap| phase(swap, name))),
        });
        Self {
            count: swaps.len(),
            phases: phases.collect(),
            total: Spread::of(swaps.iter().map(|swap| swap.ms)),
        }
    }
}

fn phase(swap: &Swap, name: &str) -> f64 {
    let found = swap.phases.iter().find(|phase| phase.name == name);
    found.map_or(0.0, |phase| phase.ms)
}

fn slowest(swaps: &[&Swap]) -> Option<Slowest> {
    let all: f64 = swaps.iter().map(|swap| swap.ms).sum();
    let names = swaps.first()?.phases.iter().map(|phase| &phase.name);
    let sums = names.map(|name| {
        (
            name,
            swaps.iter().map(|swap| phase(swap, name)).sum::<f64>(),
        )
    });
    let (name, sum) = sums.max_by(|one, other| one.1.total_cmp(&other.1))?;
    Some(Slowest {
        name: name.clone(),
        part: if all > 0.0 { sum / all } else { 0.0 },
    })
}

impl Spread {
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        // The nearest rank: always a time that was measured.
        let at = |part: f64| {
            let rank = (part * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            median: at(0.5),
            p95: at(0.95),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Figures, Spread};
    use crate::status::{Phase, Swap, SwapOutcome};

    /// A swap whose phases take this long.
    pub fn swap(version: u64, compile: f64, load: f64) -> Swap {
        let phase = |name: &str, ms| Phase {
            name: name.to_owned(),
            ms,
        };
        Swap {
            at_ms: 1_700_000_000_000 + version * 1000,
            start: 1,
            first: version == 1,
            files: vec!["/w/src/main.rs".into()],
            outcome: SwapOutcome::Swapped,
            version: Some(version),
            ms: compile + load,
            phases: vec![phase("compile", compile), phase("load", load)],
            entries: vec!["app::answer".to_owned()],
            ..Swap::default()
        }
    }

    #[test]
    fn ranks() {
        for (times, median, p95) in [
            (vec![], 0.0, 0.0),
            (vec![7.0], 7.0, 7.0),
            (vec![3.0, 1.0], 1.0, 3.0),
            (vec![3.0, 1.0, 2.0], 2.0, 3.0),
            ((1..=100).map(f64::from).collect(), 50.0, 95.0),
        ] {
            let spread = Spread::of(times.into_iter());
            assert_eq!((spread.median, spread.p95), (median, p95));
        }
    }

    #[test]
    fn first_edits_and_reverts_stand_apart() {
        let mut swaps = vec![swap(1, 300.0, 9.0)];
        swaps.extend((2..=4).map(|version| swap(version, 100.0, version as f64)));
        swaps.push(Swap {
            reverts_to: Some(3),
            ..swap(5, 0.0, 2.0)
        });
        swaps.push(Swap {
            outcome: SwapOutcome::Refused,
            ..Swap::default()
        });
        let figures = Figures::of(&swaps, 3);
        assert_eq!((figures.first.count, figures.later.count), (1, 3));
        assert_eq!((figures.reverts, figures.refused), (1, 1));
        assert_eq!(figures.restarts, 2);
        assert_eq!(figures.later.total.median, 103.0);
        assert_eq!(figures.later.phases[1].ms.p95, 4.0);
        let slowest = figures.slowest.expect("a phase");
        assert_eq!(slowest.name, "compile");
        assert!((slowest.part - 300.0 / 309.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_without_edits_has_figures() {
        let figures = Figures::of(&[], 1);
        assert_eq!(figures, Figures::default());
    }
}
