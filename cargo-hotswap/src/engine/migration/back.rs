//! The way back in a patch: how the values that it changes become again what they are now.

use hotswap_layout::migrate::{self, CellPair, Way};
use hotswap_layout::report::type_name;
use hotswap_layout::{Finding, Verdict};
use hotswap_protocol::state::{Back, CellChange};

use super::{Cells, Held, Known, Next, Plan};

impl Cells {
    /// Plans how to get back from a version, whose types these are, to the one that is current. It
    /// takes no time where the version changes no value.
    pub fn plan_back(&self, plan: &Plan, next: &Known) -> Back {
        let changes = plan.migration.cells.iter();
        let mut left: Vec<(&Next, &Held)> = changes
            .filter_map(|change| {
                let next = plan.cells.iter().find(|it| it.facts.path == change.path)?;
                Some((next, self.held.get(&change.path)?))
            })
            .collect();
        let mut back = Plan::default();
        while let Some((_, first)) = left.first() {
            let of = first.version.clone();
            let (now, later) = left
                .into_iter()
                .partition(|(_, held)| std::sync::Arc::ptr_eq(&held.version.types, &of.types));
            left = later;
            let now: Vec<(&Next, &Held)> = now;
            let pairs: Vec<CellPair<'_>> =
                now.iter().map(|(next, held)| pair(next, held)).collect();
            let migration = migrate::migrate(next.version(), of.version(), &pairs, Way::Back);
            let offset = back.migration.types.len() as u32;
            for ((cell, held), change) in now.iter().zip(&migration.cells) {
                back.migration
                    .cells
                    .extend(change.change.map(|at| CellChange {
                        path: change.path.clone(),
                        from: cell.layout.clone(),
                        to: held.layout.clone(),
                        change: at + offset,
                    }));
            }
            back.take(migration, offset);
        }
        let refused = back.findings.iter();
        let refused = refused.filter(|finding| finding.verdict == Verdict::Refused);
        let reasons: Vec<String> = refused.map(reason).collect();
        match reasons.is_empty() {
            true => Back::Way(back.migration),
            false => Back::None(reasons),
        }
    }
}

fn pair<'a>(next: &'a Next, held: &'a Held) -> CellPair<'a> {
    CellPair {
        path: &next.facts.path,
        old: &next.facts.symbol,
        new: &held.symbol,
    }
}

fn reason(finding: &Finding) -> String {
    let subject = type_name(&finding.subject);
    let what = match finding.differences.is_empty() {
        true => finding.reason.clone(),
        false => finding.differences.join("; "),
    };
    format!("`{subject}`: {what}")
}
